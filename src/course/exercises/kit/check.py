"""Check an exercise by looking at the world, and say what was seen.

A check never reads the learner's text: it runs their image, asks their service, reads their
registry. Its own time is told apart from the observation that it declares.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from course.core import environment, manifest, waiting
from course.core.errors import CourseError, from_os_error
from course.core.process import default_runner
from course.core.text import cut, harmless
from course.exercises.kit import clients
from course.exercises.kit import exercise as exercise_
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import ENVIRONMENT, Explanation, Result, State, Wrong
from course.learner import progress
from course.measure import health

_PAUSE = 1.0
_BUSY, _MOST_BUSY = 1.0, 60.0
"""Seconds that a program that does nothing takes on a machine that is too busy, and at most."""
_LONGEST = 4000
"""Characters of one sentence of a verdict."""
_USED_UP = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
)
"""That this machine has no more of something: disk, open files, memory, processes."""


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
        progress.record(id_, passed=result.state == "passed", found=result.as_dict())
    return result


def _once(exercise: manifest.Exercise) -> Result:
    began, since = time.monotonic(), time.time()
    if progress.state(exercise.id) == "new":
        how = f'run the cell begin("{exercise.id}") above it, or: course goto {exercise.id}'
        return Result(exercise.id, exercise.title, "not started", try_=how)
    lab = Lab(exercise.id)
    wrong: Wrong | None = None
    try:
        with clients.translate_docker_errors():
            exercise_.find(exercise.id).check(lab)
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
            wrong = _unjudged(from_os_error(error))
    if wrong is not None:
        wrong = _of_the_course(exercise, lab, since) or _of_the_hurry(wrong) or wrong
    watched = sum(seconds for _, seconds in lab.observed)
    # What is watched is told in whole hundredths of a second: its sum may be a little more.
    own_ms = max(0.0, time.monotonic() - began - watched) * 1000
    # What a learner's program printed may be told in it.
    rest = round(own_ms, 1), tuple(lab.observed), tuple(map(_fit, lab.notes))
    said = ("", "", "", "")
    if wrong:
        said = (wrong.cause, _fit(wrong.saw), _fit(wrong.want), _fit(wrong.try_))
    state: State = "failed" if wrong else "passed"
    if wrong and wrong.cause == ENVIRONMENT:
        state = "could not judge"
    seed = lab.drawn.seed if lab.drawn else 0
    return Result(exercise.id, exercise.title, state, *said, *rest, seed)


def _fit(text: str) -> str:
    """A sentence of a verdict, which may quote what a learner's program said."""
    return harmless(cut(text, _LONGEST))


def _unjudged(error: CourseError) -> Wrong:
    return Wrong(ENVIRONMENT, saw=error.saw, want=error.want, try_=error.try_)


class _Sources(health.Commands):
    """Where `health` reads: the cluster by the client that the check has loaded, if it has."""

    def pods(self) -> Sequence[Mapping[str, Any]]:
        """See `health.Sources.pods`."""
        if "kubernetes.client" not in sys.modules:
            return super().pods()  # faster than loading it
        from course.measure.kube_api import Kubernetes

        return Kubernetes().everywhere("pods")


def _of_the_course(exercise: manifest.Exercise, lab: Lab, since: float) -> Wrong | None:
    """Why an answer that looks wrong cannot be judged: what the course runs on has failed.

    Looked at only now: what failed meanwhile is dated, so that a right answer costs nothing.
    """
    engine = environment.current()
    if engine is None or not engine.has:
        return None
    sources = _Sources(env=lab.env(), wait=health.PATIENCE)
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


def _of_the_hurry(wrong: Wrong) -> Wrong | None:
    """Why an answer that looks too slow cannot be judged: this machine is busy now."""
    if not wrong.timed:
        return None
    began = time.monotonic()
    with contextlib.suppress(CourseError):  # not in time
        default_runner().run([sys.executable, "-I", "-S", "-c", ""], timeout=_MOST_BUSY)
    seconds = time.monotonic() - began
    if seconds <= _BUSY:
        return None
    return Wrong(
        ENVIRONMENT,
        saw=f"a program that does nothing takes {seconds:.1f} s now: this machine is too busy to "
        "tell whether the answer is slow",
        want=f"a machine on which it takes less than {_BUSY:.0f} s",
        try_="end what else keeps this machine busy, then run the check again",
    )


def explanation(result: Result) -> str:
    """What varies from run to run: figures, and what to notice in a right answer."""
    lines = [f"  {note}" for note in result.notes]
    watched = ", ".join(f"{label} {seconds:.1f} s" for label, seconds in result.observed)
    lines.append(
        f"  the check itself {result.own_ms:.0f} ms" + (f"; watched: {watched}" if watched else "")
    )
    if result.seed:
        lines.append(f"  what it asked was drawn from the seed {result.seed}")
    return "\n".join(lines)


def explain(id_: str) -> Explanation:
    """The figures of the last check of an exercise.

    Raises:
        CourseError: there is no such exercise.
    """
    manifest.load().exercise(id_)
    found = progress.last_found(id_)
    if found is None:
        return Explanation(f"· {id_} has not been checked yet")
    observed = tuple((str(label), float(seconds)) for label, seconds in found.pop("observed"))
    notes = tuple(found.pop("notes"))
    return Explanation(explanation(Result(**found, observed=observed, notes=notes)))
