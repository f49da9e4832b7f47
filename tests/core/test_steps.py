"""course.core.steps: the record of `course up` that others read."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from course.core import locks, steps
from course.core.steps import Step, Steps
from tests.foreign import other, recycled


def test_a_run_whose_process_is_gone_does_not_run(home: Path) -> None:
    step = Step("a", "A", "running")
    assert Steps([step], process=locks.process_key()).running
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not Steps([step], process=locks.process_key(ended.pid)).running
    assert not Steps([step]).running


def test_a_process_that_got_the_number_of_a_run_is_not_taken_for_it(home: Path) -> None:
    with other() as foreign:
        run = Steps([Step("a", "A", "running")], process=recycled(foreign))
        steps.write(run)
        seen = steps.read()
        assert seen is not None and not seen.running


def test_a_record_by_bare_number_is_as_none(home: Path) -> None:
    (home / "state").mkdir()
    record = {"steps": [], "pid": os.getpid(), "started": 0.0, "error": ""}
    (home / "state" / "steps.json").write_text(json.dumps(record))
    assert steps.read() is None


def test_an_unreadable_record_is_as_none(home: Path) -> None:
    assert steps.read() is None
    (home / "state").mkdir()
    (home / "state" / "steps.json").write_text('{"steps": [{"colour": 1}]}')
    assert steps.read() is None


def test_what_is_left_counts_waiting_and_running() -> None:
    run = Steps(
        [
            Step("a", "A", "done", expected=100),
            Step("b", "B", "running", fraction=0.5, seconds=10, expected=60),
            Step("c", "C", expected=30),
        ]
    )
    assert run.left == 30 + 30
