"""What a learner waits for at a prompt: each command in a fresh process, wall clock.

In a learner's folder of its own. `goto` and `check` use the running engine, which is started if it
does not run, with everything that the exercises need present: each start state is set once before
it is timed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from course.core import manifest, paths
from course.dev import results
from course.dev.results import Row, p95, quiet

READING = ("list", "status", "hint containers-1", "solution containers-1", "env", "ledger")
"""Commands that only read; `--help` beside them."""
RUNS = 7
NO_VERDICT = ("could not judge", "not started")
_WAIT = 600.0
_READING_SUBJECT = ("pyproject.toml", "uv.lock", "src/course")
_SUBJECT = (*_READING_SUBJECT, "course.toml", "airgap/images")


def rows() -> Iterator[Row]:
    """Seconds of the commands that read, of `goto`, and of a check beside what it watches."""
    run("up")
    with tempfile.TemporaryDirectory(prefix="course-bench-") as work:
        os.environ["COURSE_WORK"] = work
        try:
            for command in (*READING, "--help"):
                yield _reading(command)
            yield from _goto_and_check()
        finally:
            del os.environ["COURSE_WORK"]


def run(*words: str, fails: bool = False) -> tuple[float, str]:
    """Run `course` in a process of its own.

    Args:
        words: its arguments.
        fails: whether exit code 1 is an answer too.

    Returns:
        Seconds from its start to its end, and what it printed.
    """
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "course.cli", *words],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_WAIT,
    )
    seconds = time.perf_counter() - began
    assert done.returncode == 0 or (fails and done.returncode == 1), done.stderr
    return seconds, done.stdout


def _reading(command: str) -> Row:
    run(*command.split())
    quiet()
    seconds = [run(*command.split())[0] for _ in range(RUNS)]
    slowest = max(seconds)
    return Row(
        f"course {command}",
        f"{statistics.median(seconds):.2f} s, at most {slowest:.2f} s",
        "< 0.5 s",
        slowest < 0.5,
        f"{RUNS} fresh processes; {results.machine()}",
        _READING_SUBJECT,
    )


def _goto_and_check() -> Iterator[Row]:
    exercises = [e.id for lesson in manifest.load().lessons for e in lesson.exercises]
    goto, own = {}, {}
    for id_ in exercises:
        run("goto", id_)
        quiet()
        goto[id_] = run("goto", id_)[0]
        quiet()  # what goto has begun: pods start when it has ended
        seconds, told = run("check", id_, "--json", fails=True)
        verdict = json.loads(told)
        # What the machine could not tell is no verdict, and its time no check's.
        assert verdict["state"] not in NO_VERDICT, verdict
        own[id_] = seconds - sum(watched for _, watched in verdict["observed"])
    here = f"{len(exercises)} exercises as goto leaves them, a fresh process each"
    for name, by_exercise, bound in (
        ("course goto", goto, 3),
        ("course check, from the command to the verdict, less what it watches", own, 1),
    ):
        values = sorted(by_exercise.values())
        slowest = max(by_exercise, key=by_exercise.__getitem__)
        yield Row(
            name,
            f"median {statistics.median(values):.2f} s, p95 {p95(values):.2f} s, at most "
            f"{values[-1]:.2f} s ({slowest})",
            f"p95 < {bound} s",
            p95(values) < bound,
            f"{here}; {results.machine()}",
            _SUBJECT,
        )
