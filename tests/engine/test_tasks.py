"""course.engine.tasks: tasks in order, recorded and shown."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from course.core import steps
from course.core.errors import CourseError
from course.core.report import Report
from course.core.steps import Step, Steps
from course.engine import tasks as tasks_
from course.engine.tasks import Display, Task


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
