"""An error: one clear message for a learner, and its whole cause for whoever mends the course."""

from __future__ import annotations

import ast
import errno
import io
import os
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.core import paths
from course.core.errors import CourseError, from_os_error
from course.core.process import FakeRunner
from course.engine import tasks
from course.engine.doctor import Machine, report
from course.learner import run_notebook
from tests.test_cli import course

WITHOUT_A_CAUSE = {
    # An empty queue is how it waits for a thread, and not what is wrong with the network.
    "artifacts/fetch.py: _within": "TimeoutError",
}


def _drops_its_cause(node: ast.AST) -> bool:
    cause = node.cause if isinstance(node, ast.Raise) else None
    return isinstance(cause, ast.Constant) and cause.value is None


def test_no_error_drops_its_cause() -> None:
    root = paths.ROOT / "src" / "course"
    found = {
        f"{file.relative_to(root)}: {function.name}"
        for file in root.rglob("*.py")
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(map(_drops_its_cause, ast.walk(function)))
    }
    assert found == set(WITHOUT_A_CAUSE), "raise … from error, so that --debug shows the fault"


@pytest.fixture
def broken_progress(mini: Path) -> Path:
    file = paths.work() / "progress.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"exercises": oops}')
    return file


def test_a_notebook_shows_one_message_and_no_chain(broken_progress: Path) -> None:
    cell = new_code_cell('import course; course.hint("containers-1")')
    with pytest.raises(CourseError) as caught:
        run_notebook.run(new_notebook(cells=[cell]), broken_progress.parent)
    shown = run_notebook.run(new_notebook(cells=[cell]), broken_progress.parent, allow_errors=True)
    (output,) = shown.cells[0].outputs
    assert output.traceback[0].startswith("✗ saw:  ") and "progress.json" in output.traceback[0]
    assert len(output.traceback) == 3, output.traceback
    for text in ("\n".join(output.traceback), str(caught.value)):
        assert "JSONDecodeError" not in text
        assert "During handling" not in text and "direct cause" not in text


def test_a_terminal_shows_the_cause_with_debug_only(
    broken_progress: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_DEBUG", "")
    plain = course(capsys, "hint", "mini-1")[2]
    assert "saw:" in plain and "JSONDecodeError" not in plain and "Traceback" not in plain
    whole = course(capsys, "--debug", "hint", "mini-1")[2]
    assert "JSONDecodeError" in whole and "direct cause" in whole
    assert whole.endswith(plain.removeprefix("✗ course hint mini-1"))


def test_the_record_of_a_failed_set_up_and_the_report_hold_no_cause(home: Path) -> None:
    def fails(_: object) -> None:
        raise CourseError("no registry answers") from ValueError("http://jane:c4nary@proxy:1")

    with pytest.raises(CourseError):
        tasks.run([tasks.Task("images", "Images", fails)], tasks.Display(io.StringIO()))
    record = (paths.state() / "steps.json").read_text()
    assert "no registry answers" in record and "c4nary" not in record and "ValueError" not in record
    written = report.write(
        home / "report.txt", [], Machine(FakeRunner({"git": "", "docker": "", "kind": ""}))
    ).read_text()
    assert "no registry answers" in written and "c4nary" not in written


def test_an_error_shows_itself_without_a_traceback_in_a_notebook() -> None:
    error = CourseError("a fact", "a wish", "a command")
    assert error._render_traceback_() == ["✗ saw:  a fact", "  want: a wish", "  try:  a command"]


@pytest.mark.parametrize("place", ["COURSE_STATE", "COURSE_CACHE"])
@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS])
def test_a_home_that_cannot_be_written_is_told_with_the_variable_that_moves_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: int
) -> None:
    monkeypatch.setenv(place, "/home/jane/.local/course")
    for where in ("/home/jane/.local", "/home/jane/.local/course/logs"):
        told = from_os_error(OSError(error, os.strerror(error), where))
        assert where in told.saw and f"export {place}=FOLDER" in told.try_
