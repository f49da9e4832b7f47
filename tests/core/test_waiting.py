"""course.core.waiting: asked until it is so; shown after a second, gone at the end, else silent."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.core import waiting
from course.learner import run_notebook
from tests.until import until

_IMPORTS = "import time\nfrom course.core import waiting\n"


class Seen:
    """A view that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, float | None]] = []
        self.closed = threading.Event()

    def show(self, what: str, share: float | None, seconds: float) -> None:
        self.told.append((what, share))

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    view = Seen()
    monkeypatch.setattr(waiting, "_view", lambda: view)
    monkeypatch.setattr(waiting, "_AFTER", 0.2)
    monkeypatch.setattr(waiting, "_EVERY", 0.02)
    return view


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        monkeypatch.setattr("time.sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_what_is_so_already_costs_one_question_and_no_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, answers = Clock(monkeypatch), iter(["so"])
    assert waiting.eventually(lambda: next(answers), wait=5, pause=1) == "so"
    assert clock.slept == []


def test_it_is_asked_again_until_the_answer_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, answers = Clock(monkeypatch), iter([503, 503, 200])
    said = waiting.eventually(
        lambda: next(answers), wait=60, pause=0.5, until=lambda status: status == 200
    )
    assert said == 200 and clock.slept == [0.5, 0.5]


def test_the_last_question_comes_at_the_deadline_and_its_answer_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    asked: list[float] = []

    def ask() -> list[str]:
        asked.append(clock.now)
        return []

    assert waiting.eventually(ask, wait=2.5, pause=1) == []
    assert asked == [0, 1, 2, 2.5]


@pytest.mark.parametrize("wait", [0.0, -1.0])
def test_without_time_it_is_asked_once(monkeypatch: pytest.MonkeyPatch, wait: float) -> None:
    clock, answers = Clock(monkeypatch), iter([""])
    assert waiting.eventually(lambda: next(answers), wait=wait, pause=1) == ""
    assert clock.slept == []


def test_what_the_question_raises_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with pytest.raises(ZeroDivisionError):
        waiting.eventually(lambda: 1 / 0, wait=5, pause=1)
    assert clock.slept == []


def test_what_is_quick_is_never_shown(seen: Seen) -> None:
    with waiting.shown("the answer"):
        pass
    assert seen.told == [] and not seen.closed.is_set()


def test_what_takes_longer_is_shown_and_gone_at_the_end(seen: Seen) -> None:
    with waiting.shown("the answer") as wait:
        until(lambda: seen.told)
        wait.share = 0.5
        until(lambda: seen.told[-1] == ("the answer", 0.5))
    assert seen.closed.is_set()


def test_a_wait_inside_another_changes_what_is_said(seen: Seen) -> None:
    with waiting.shown("the check"):
        with waiting.shown("a request"):
            until(lambda: ("a request", None) in seen.told)
        until(lambda: seen.told[-1] == ("the check", None))
    assert seen.told[0][0] == "a request"


def test_an_error_ends_it_too(seen: Seen) -> None:
    with pytest.raises(ZeroDivisionError), waiting.shown("the answer"):
        until(lambda: seen.told)
        1 / 0  # noqa: B018
    assert seen.closed.is_set()
    with waiting.shown("the next one") as wait:
        assert wait.what == "the next one"


def test_a_notebook_without_a_browser_shows_nothing(mini: Path) -> None:
    source = f"{_IMPORTS}with waiting.shown('x'):\n    time.sleep(1.6)\n1"
    done = run_notebook.run(new_notebook(cells=[new_code_cell(source)]), mini)
    assert [output.output_type for output in done.cells[0].outputs] == ["execute_result"]


_SLOW = f"{_IMPORTS}with waiting.shown('the answer'): time.sleep(1.8)"


def test_a_pipe_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", _SLOW], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_terminal_has_a_line_that_is_gone_at_the_end() -> None:
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    with subprocess.Popen([sys.executable, "-c", _SLOW], stderr=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            said += piece
    assert process.returncode == 0
    assert b"the answer" in said
    # The last thing: the cursor goes back and the line is erased.
    assert re.search(rb"\x1b\[1A\x1b\[2K\Z", said)
    os.close(ours)
