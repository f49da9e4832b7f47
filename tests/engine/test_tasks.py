"""course.core.steps: progress that others can read."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import pytest

from course.core import locks, steps
from course.core.errors import CourseError
from course.core.report import Report
from course.core.steps import Step, Steps
from course.engine import tasks as tasks_
from course.engine.tasks import Display, Task
from tests.foreign import other, recycled


def nothing(report: Report) -> None:
    report("half", 0.5)


def broken(report: Report) -> None:
    raise CourseError("it broke")


def interrupted(report: Report) -> None:
    raise KeyboardInterrupt


def test_a_run_is_recorded_for_others(home: Path) -> None:
    tasks = [Task("a", "First", nothing, gives="containers"), Task("b", "Second", nothing)]
    tasks_.run(tasks, Display(io.StringIO()))
    seen = steps.read()
    assert seen is not None
    assert [(s.name, s.state) for s in seen.steps] == [("a", "done"), ("b", "done")]
    assert seen.ready("containers") and not seen.ready("cluster")
    assert seen.finished and not seen.running


@pytest.mark.parametrize(
    ("task", "error", "said"),
    [
        (broken, CourseError, "it broke"),
        (interrupted, KeyboardInterrupt, "interrupted; to go on: course up"),
    ],
)
def test_a_failure_is_recorded_and_the_rest_waits(
    home: Path, task: object, error: type[BaseException], said: str
) -> None:
    tasks = [Task("a", "A", nothing), Task("b", "B", task), Task("c", "C", nothing)]  # type: ignore[arg-type]
    with pytest.raises(error):
        tasks_.run(tasks, Display(io.StringIO()))
    seen = steps.read()
    assert seen is not None
    assert [s.state for s in seen.steps] == ["done", "failed", "waiting"]
    assert said in seen.error and not seen.running


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


def test_without_a_terminal_each_step_is_a_line() -> None:
    out = io.StringIO()
    display = Display(out)
    step = Step("a", "Docker answers", "done", seconds=1.25)
    display.update(Steps([step]), step, edge=True)
    assert out.getvalue() == "✓ Docker answers  1.2 s\n"


def test_for_machines_each_line_is_an_object() -> None:
    out = io.StringIO()
    step = Step("a", "A", "running", fraction=0.5, detail="x")
    Display(out, machine=True).update(Steps([step]), step, edge=True)
    assert json.loads(out.getvalue())["fraction"] == 0.5


def test_a_fraction_stays_between_nothing_and_all(home: Path) -> None:
    seen: list[float | None] = []

    def wild(report: Report) -> None:
        for value in (-1.0, 7.0):
            report("x", value)
            found = steps.read()
            assert found
            seen.append(found.steps[0].fraction)

    tasks_.run([Task("a", "A", wild)], Display(io.StringIO()))
    assert all(value is None or 0 <= value <= 1 for value in seen)
