"""Check an exercise by looking at the world, and say what was seen.

A check never reads the learner's text: it runs their image, asks their service, reads their
registry. Its own time is told apart from the observation that it declares.
"""

from __future__ import annotations

import errno
import html
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from course import engines, exercises, health, manifest, waiting, workspace
from course.errors import CourseError, of_os
from course.exercises import ENVIRONMENT, Wrong
from course.text import harmless
from course.world import World

State = Literal["passed", "failed", "could not judge", "not started"]
_PAUSE = 1.0
_USED_UP = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
)
"""That this machine has no more of something: disk, open files, memory, processes."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Args:
        id: the exercise.
        title: what is true when it is right.
        state: passed, failed, not started, or could not judge: the machine failed, or something
            that the course runs on.
        cause: a code for the true cause of a wrong answer.
        saw: the fact that was found.
        want: what it has to be.
        try_: what to look at next.
        own_ms: milliseconds that the check itself took.
        observed: what it had to watch, each with its seconds.
        notes: what is worth knowing about a right answer.
    """

    id: str
    title: str
    state: State
    cause: str = ""
    saw: str = ""
    want: str = ""
    try_: str = ""
    own_ms: float = 0.0
    observed: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        if self.state == "passed":
            return passed_text(self.id, self.title)
        if self.state == "not started":
            return f"· {self.id} · not started: {self.try_}"
        mark, _, what = _MARKS[self.state]
        head = f"{mark} {self.id} · {self.title}"
        if self.state == "could not judge":
            head += f" · {what}"
        rows = [head, f"  saw:  {self.saw}", f"  want: {self.want}"]
        return "\n".join([*rows, f"  try:  {self.try_}"])

    def _repr_html_(self) -> str:
        if self.state == "passed":
            return passed_html(self.id, self.title)
        mark, color, what = _MARKS[self.state]
        rows = [("saw", self.saw), ("want", self.want), ("try", self.try_)]
        body = "".join(
            f"<dt style='grid-column:1;opacity:.75'>{name}</dt>"
            f"<dd style='{_VALUE}'>{marked(text)}</dd>"
            for name, text in rows
            if text
        )
        head = html.escape(f"{self.id} · {self.title}")
        return _card(color, f"{mark} <b>{head}</b> <i>({what})</i>", body)

    def as_dict(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


_MARKS = {
    "failed": ("✗", "#c4320a", "not yet"),
    "could not judge": ("?", "#9a6700", "could not judge"),
    "not started": ("·", "#6e7781", "not started"),
}
# Without width and float JupyterLab's own style breaks the line early.
_VALUE = "grid-column:2;margin:0;width:auto;float:none;white-space:pre-wrap;overflow-wrap:anywhere"


def marked(text: str) -> str:
    """Text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _card(color: str, head: str, body: str = "") -> str:
    # No background and no text colour of its own: both come from the theme, light or dark.
    if body:
        grid = "display:grid;grid-template-columns:auto 1fr;gap:2px 12px;margin:6px 0 0"
        body = f"<dl style='{grid}'>{body}</dl>"
    return (
        f"<div class='course-check' role='status' style='border:1px solid {color};"
        f"border-left:6px solid {color};border-radius:4px;padding:8px 12px;max-width:46em'>"
        f"<div>{head}</div>{body}</div>"
    )


def passed_text(id_: str, title: str) -> str:
    """The line of a right answer: the same in every run, so that it can be compared."""
    return f"✓ {id_} · {title}"


def passed_html(id_: str, title: str) -> str:
    """The card of a right answer, as constant as its line."""
    return _card("#1a7f37", f"✓ <b>{html.escape(f'{id_} · {title}')}</b>")


def check(id_: str, wait: float = 0) -> Result:
    """Check one exercise.

    Args:
        id_: the exercise.
        wait: seconds to go on looking until it is right.

    Returns:
        What was found; a wrong answer is a result and no error.

    Raises:
        CourseError: there is no such exercise.
    """
    exercise = manifest.load().exercise(id_)
    with waiting.shown(f"the check of {id_}"):
        result = waiting.eventually(
            lambda: _once(exercise),
            wait=wait,
            pause=_PAUSE,
            until=lambda found: found.state in ("passed", "not started"),
        )
    if result.state != "not started":
        workspace.record(id_, passed=result.state == "passed", found=result.as_dict())
    return result


def _once(exercise: manifest.Exercise) -> Result:
    began, since = time.monotonic(), time.time()
    if workspace.state(exercise.id) == "new":
        how = f'run the cell begin("{exercise.id}") above it, or: course goto {exercise.id}'
        return Result(exercise.id, exercise.title, "not started", try_=how)
    world = World(exercise.id)
    wrong: Wrong | None = None
    try:
        with world.asked():
            exercises.find(exercise.id).check(world)
    except Wrong as answer:
        wrong = answer
    except CourseError as error:
        wrong = _unjudged(error)
    except Exception as error:
        if os.environ.get("COURSE_DEBUG") == "1":
            raise
        wrong = Wrong(
            "defect",
            saw=f"the check itself failed: {type(error).__name__}: {error}",
            want="a check that does not",
            try_=f"course --debug check {exercise.id}   and report what it shows",
        )
        if isinstance(error, OSError) and error.errno in _USED_UP:
            wrong = _unjudged(of_os(error))
    if wrong is not None:
        wrong = _of_the_course(exercise, world, since) or wrong
    watched = sum(seconds for _, seconds in world.observed)
    # What is watched is told in whole hundredths of a second: its sum may be a little more.
    own_ms = max(0.0, time.monotonic() - began - watched) * 1000
    # What a learner's program printed may be told in it.
    rest = round(own_ms, 1), tuple(world.observed), tuple(map(harmless, world.notes))
    said = ("", "", "", "")
    if wrong:
        said = (wrong.cause, harmless(wrong.saw), harmless(wrong.want), harmless(wrong.try_))
    state: State = "failed" if wrong else "passed"
    if wrong and wrong.cause == ENVIRONMENT:
        state = "could not judge"
    return Result(exercise.id, exercise.title, state, *said, *rest)


def _unjudged(error: CourseError) -> Wrong:
    return Wrong(ENVIRONMENT, saw=error.saw, want=error.want, try_=error.try_)


class _Sources(health.Commands):
    """Where `health` reads: the cluster by the client that the check has loaded, if it has."""

    def pods(self) -> Sequence[Mapping[str, Any]]:
        """See `health.Sources.pods`."""
        if "kubernetes.client" not in sys.modules:
            return super().pods()  # faster than loading it
        from course.rollout.api import Kubernetes

        return Kubernetes().everywhere("pods")


def _of_the_course(exercise: manifest.Exercise, world: World, since: float) -> Wrong | None:
    """Why an answer that looks wrong cannot be judged: what the course runs on has failed.

    Looked at only now: what failed meanwhile is dated, so that a right answer costs nothing.
    """
    engine = engines.current()
    if engine is None or not engine.has:
        return None
    sources = _Sources(env=world.env(), wait=health.PATIENCE)
    failed = health.failed_since(since, sources, exercise.needs, engine.ports)
    if failed is None:
        return None
    again = "run the check again"
    return Wrong(
        ENVIRONMENT,
        saw=f"{failed.name} did not work during this check: {failed.saw}",
        want="a check during which everything that the course runs on works",
        try_=again if failed.try_ == health.REPEAT else f"{failed.try_}; then {again}",
    )


def explanation(result: Result) -> str:
    """What varies from run to run: figures, and what to notice in a right answer."""
    lines = [f"  {note}" for note in result.notes]
    watched = ", ".join(f"{label} {seconds:.1f} s" for label, seconds in result.observed)
    lines.append(
        f"  the check itself {result.own_ms:.0f} ms" + (f"; watched: {watched}" if watched else "")
    )
    return "\n".join(lines)


def explain(id_: str) -> Explanation:
    """The figures of the last check of an exercise.

    Raises:
        CourseError: there is no such exercise.
    """
    manifest.load().exercise(id_)
    found = workspace.last_found(id_)
    if found is None:
        return Explanation(f"· {id_} has not been checked yet")
    observed = tuple((str(label), float(seconds)) for label, seconds in found.pop("observed"))
    notes = tuple(found.pop("notes"))
    return Explanation(explanation(Result(**found, observed=observed, notes=notes)))


@dataclass(frozen=True)
class Explanation:
    """Text that a notebook shows as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text
