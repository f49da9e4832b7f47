"""The command `course`: one clear message, and the right exit code."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from course import cli
from course.core import environment, paths
from course.core.errors import CourseError
from course.engine import up
from course.learner import notebooks, progress


def course(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Run the command; its exit code and both streams."""
    before, sys.argv = sys.argv, ["course", *words]
    code = 0
    try:
        cli.main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    finally:
        sys.argv = before
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def engine(mini: Path) -> Path:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}, ["containers"], {}))
    return mini


COMMANDS = sorted(c.name or c.callback.__name__ for c in cli.app.registered_commands if c.callback)


def test_the_commands_of_the_design_are_there() -> None:
    expected = {"up", "down", "status", "doctor", "list", "check", "hint", "solution", "goto"}
    assert expected | {"reset", "update", "ledger"} <= set(COMMANDS)


def test_every_command_says_what_it_does() -> None:
    for group in (cli.app, cli.dev):
        for command in group.registered_commands:
            assert command.callback and (command.callback.__doc__ or "").strip().endswith(".")


def test_every_command_is_in_the_readme() -> None:
    readme = (paths.ROOT / "README.md").read_text()
    for command in COMMANDS:
        assert f"course {command}" in readme, f"`course {command}` is not in the README"


def test_the_list_for_machines(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = course(capsys, "list", "--json")
    rows = json.loads(out)
    assert code == 0
    assert set(rows[0]) == {"id", "part", "lesson", "title", "minutes", "needs", "hints", "state"}
    assert [row["id"] for row in rows] == ["mini-1", "mini-2"]


def test_the_list_for_people(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress.record("mini-1", passed=True, found={})
    _, out, _ = course(capsys, "list")
    assert any("✓" in line and "mini-1" in line for line in out.splitlines())


def test_an_exercise_from_start_to_end(engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = course(capsys, "check", "mini-1")
    assert code == 1 and "not started" in out
    assert course(capsys, "goto", "mini-1")[0] == 0
    code, out, _ = course(capsys, "check", "mini-1")
    assert code == 1 and "saw:" in out
    (paths.work() / "mini-1" / "word.txt").write_text("word")
    code, out, _ = course(capsys, "check", "mini-1")
    assert code == 0 and out.startswith("✓ mini-1 · The file holds the word\n")
    code, out, _ = course(capsys, "check", "mini-1", "--json")
    assert json.loads(out)["state"] == "passed"
    code, out, _ = course(capsys, "reset", "mini-1")
    assert code == 0 and "what was there is in" in out
    assert (
        "echo word"
        in course(capsys, "solution", "mini-1")[1] + course(capsys, "solution", "mini-1")[1]
    )


def test_without_a_name_the_exercise_is_the_one_that_was_begun_last(
    engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("check", "hint", "reset"):
        code, out, err = course(capsys, word)
        assert (code, out) == (1, "") and err.splitlines()[0] == f"✗ course {word}"
        assert "no exercise was begun yet" in err and "try:  course list" in err
    course(capsys, "goto", "mini-1")
    course(capsys, "goto", "mini-2")
    (paths.work() / "mini-2" / "mine.txt").write_text("mine")
    assert json.loads(course(capsys, "check", "--json")[1])["id"] == "mini-2"
    assert course(capsys, "hint")[1].startswith("mini-2:\n1. ")
    assert course(capsys, "hint", "mini-1")[1].startswith("1. ")
    code, out, _ = course(capsys, "reset")
    assert code == 0 and out.startswith("mini-2 ·") and "what was there is in" in out


def test_a_misspelt_exercise(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = course(capsys, "hint", "mini-11")
    assert (code, out) == (1, "")
    assert err.splitlines()[0] == "✗ course hint mini-11"
    assert "no exercise is called `mini-11`" in err and "`mini-1`?" in err
    assert "Traceback" not in err


def test_a_misspelt_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = course(capsys, "chekc")
    assert code == 2 and "chekc" in err and "course --help" in err


def test_an_engine_that_does_not_run(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = course(capsys, "check", "mini-1")
    assert code == 1 and "try:  course up" in err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "To go on: course update"),
        (typer.Abort(), 130, "To go on: course update"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "the disk is full (/x)"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "Permission denied (/x)"),
        (CourseError("a", "b", "c"), 1, "saw:  a"),
        (ZeroDivisionError("oops"), 1, "a fault of the course itself: ZeroDivisionError: oops"),
    ],
)
def test_whatever_happens_there_is_one_message(
    mini: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fails(_: object) -> None:
        raise error

    monkeypatch.setattr(notebooks, "update", fails)
    seen, _, err = course(capsys, "update")
    assert seen == code and said in err and "Traceback" not in err
    if not isinstance(error, (KeyboardInterrupt, typer.Abort)):
        monkeypatch.setenv("COURSE_DEBUG", "")
        assert "Traceback" in course(capsys, "--debug", "update")[2]


def test_a_second_up_says_that_everything_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up, "complete", lambda: True)
    assert course(capsys, "up") == (0, "✓ everything runs; nothing to do\n", "")


def test_the_ledger_as_text_and_as_a_page(mini: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not measured yet" in course(capsys, "ledger")[1]
    code, out, _ = course(capsys, "ledger", "--html")
    assert (code, out) == (0, f"✓ {paths.work() / 'ledger.html'}\n")
    file = mini / "mine.html"
    assert course(capsys, "ledger", "--html", str(file))[0] == 0 and file.exists()
    code, _, err = course(capsys, "ledger", "mine.html")
    assert code == 1 and "try:  course ledger --html mine.html" in err


def test_a_shell_takes_the_engines_variables(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_WORK", "/a folder/it's")
    environment.save(
        environment.Engine("kind", {"DOCKER_HOST": "unix:///x", "KUBECONFIG": "/k"}, [], {})
    )
    code, out, _ = course(capsys, "env")
    assert code == 0
    script = f'{out}echo "$DOCKER_HOST $KUBECONFIG $COURSE_WORK"; echo "$PATH"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    variables, path = done.stdout.splitlines()
    assert variables == "unix:///x /k /a folder/it's"
    assert path.split(os.pathsep)[0] == str(paths.state() / "bin")


def test_a_shell_without_an_engine_gets_nothing_to_eval(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = course(capsys, "env")
    assert (code, out) == (1, "") and "course up" in err
