"""Several runs that a check observes at the same time, in turns: it waits in none of them alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.verdict import Wrong

Run: TypeAlias = Generator[Facts | None, None, None]
"""One of them: yields the facts of each stage, and `None` while it waits."""

_PAUSE = 0.15
_Seen = TypeVar("_Seen")


def side_by_side(*runs: Run, pause: float = _PAUSE) -> Observation:
    """Observe several runs at the same time.

    Args:
        runs: each takes its turn until it ends.
        pause: seconds between two rounds.

    Yields:
        The facts of all runs as they come. What is wrong is raised inside the run that saw it; the
        others are closed.
    """
    left = list(runs)
    try:
        while left:
            for run in tuple(left):
                try:
                    facts = next(run)
                except StopIteration:
                    left.remove(run)
                    continue
                if facts is not None:
                    try:
                        yield facts
                    except Wrong as wrong:
                        run.throw(wrong)
                        raise
            time.sleep(pause if left else 0)
    finally:
        for run in left:
            run.close()


def patiently(
    look: Callable[[], _Seen], enough: Callable[[_Seen], bool]
) -> Generator[None, None, _Seen]:
    """Look once a round until that is enough; for `yield from` in a run.

    Args:
        look: looks at the world.
        enough: whether what was seen ends the wait; so its deadline is in it.

    Returns:
        What was seen last.
    """
    while not enough(seen := look()):
        yield None
    return seen
