"""How an engine comes up: a list of actions, run in order.

An engine says what each action does. What would be the same in every engine is here: an action
that is done already is passed over, what a failed or killed one left is taken back, and a wait has
an end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from course.core import waiting
from course.core.errors import CourseError
from course.core.process import CommandError
from course.core.report import Report


@dataclass(frozen=True)
class Partial:
    """What an action leaves that did not come to its end.

    Args:
        what: what a learner calls it, e.g. `a cluster`.
        mark: a file that is there from the action's beginning to its end; the next run finds it
            where the process was killed.
        undo: removes what was left.
    """

    what: str
    mark: Path
    undo: Callable[[], None]

    def remove(self) -> None:
        """Remove what was left, and the mark."""
        self.undo()
        self.mark.unlink(missing_ok=True)


@dataclass(frozen=True)
class Action:
    """One thing that has to be so before an engine runs.

    Args:
        name: what it is, in a word or two.
        do: makes it so.
        done: whether it is so already; by default `do` finds out by itself.
        half: what it may leave half-made.
    """

    name: str
    do: Callable[[Report], None]
    done: Callable[[], bool] = lambda: False
    half: Partial | None = None


def run(actions: Iterable[Action], report: Report) -> None:
    """Do all actions in order; none behind one that fails.

    Args:
        actions: what has to be so.
        report: told what is being done.

    Raises:
        CourseError: as the action that failed raised it; what it left is removed first.
    """
    for action in actions:
        if action.half and action.half.mark.exists():
            report(f"removing half {action.half.what}", None)
            action.half.remove()
        if action.done():
            continue
        with _whole(action.half) if action.half else contextlib.nullcontext():
            action.do(report)


@contextlib.contextmanager
def _whole(half: Partial) -> Iterator[None]:
    """Keep the mark while what is inside is at work; where that fails, remove what it left."""
    half.mark.parent.mkdir(parents=True, exist_ok=True)
    half.mark.touch()
    try:
        yield
    except BaseException:
        # If the engine is what failed, this fails as well, and the next run does it.
        with contextlib.suppress(CommandError):
            half.remove()
        raise
    half.mark.unlink()


def awaited(
    name: str,
    missing: Callable[[Report], Sequence[str]],
    *,
    wait: float,
    pause: float,
    late: Callable[[Sequence[str]], CourseError],
) -> Action:
    """An action that waits until nothing is missing.

    Args:
        name: what is waited for.
        missing: what is still missing; it raises where waiting longer is no use.
        wait: deadline in seconds.
        pause: seconds between two looks.
        late: the error for what is missing at the deadline.
    """

    def do(report: Report) -> None:
        left = waiting.eventually(
            lambda: missing(report), wait=wait, pause=pause, until=lambda left: not left
        )
        if left:
            raise late(left)

    return Action(name, do)
