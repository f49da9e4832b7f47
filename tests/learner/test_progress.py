"""course.learner.progress: what the learner did is whole, whoever is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from course.core import paths
from course.core.errors import CourseError
from course.exercises.kit import exercise, start
from course.exercises.kit.lab import Lab
from course.learner import hints, progress
from tests.until import until


def test_the_current_exercise_is_the_one_that_was_begun_last(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CourseError, match="no exercise was begun yet") as caught:
        progress.current()
    assert "course goto" in caught.value.try_
    start.begin("mini-1")
    assert progress.current() == "mini-1"
    start.goto("mini-2")
    progress.record("mini-1", passed=True, found={})
    assert progress.current() == "mini-2"
    start.begin("mini-1")  # as it was, and the one that is worked on again
    assert progress.current() == "mini-1"

    def fails(_: Lab) -> None:
        raise CourseError("no Docker")

    monkeypatch.setattr(exercise.find("mini-2"), "begin", fails)
    with pytest.raises(CourseError):
        start.goto("mini-2")
    assert progress.current() == "mini-1"


@pytest.mark.parametrize(
    ("text", "said"), [('{\n "exercises": {,}\n}', "line 2"), ("[]", "not an object")]
)
def test_a_progress_file_that_does_not_parse_is_named_and_kept(
    mini: Path, text: str, said: str
) -> None:
    file = paths.work() / "progress.json"
    file.parent.mkdir()
    file.write_text(text)
    for call in (start.begin, hints.hint):
        with pytest.raises(CourseError) as caught:
            call("mini-1")
        assert str(file) in caught.value.saw and said in caught.value.saw
    assert file.read_text() == text


def test_a_killed_process_leaves_a_whole_progress_file(mini: Path) -> None:
    code = (
        "from course.learner import progress\n"
        "for i in range(100000): progress.remember('mini-1', f'n{i % 50}', 'x' * 500)\n"
    )
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
        before = (paths.work() / "progress.json").exists()
        until((paths.work() / "progress.json").exists, "the first write")
        time.sleep(0.8 if before else 0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        data = json.loads((paths.work() / "progress.json").read_text())
        assert data["exercises"]["mini-1"]["facts"]
    progress.remember("mini-1", "after", "1")  # the lock went with the process
    assert progress.recall("mini-1", "after") == "1"


def test_processes_that_write_together_lose_nothing(mini: Path) -> None:
    # Programs, not forks of this process: a fork may take a lock with it that nobody opens.
    code = (
        "import sys\n"
        "from course.learner import progress\n"
        "for i in range(20): progress.remember('mini-1', f'{sys.argv[1]}-{i}', 'x')"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(4)]
    assert [child.wait(timeout=60) for child in children] == [0] * 4
    facts = progress.progress()["exercises"]["mini-1"]["facts"]
    assert len(facts) == 80


def test_the_first_prediction_is_kept(mini: Path) -> None:
    assert progress.predicted("size") is None
    progress.predict("size", 10, "MB")
    progress.predict("size", 347, "MB")
    assert progress.predicted("size") == 10
