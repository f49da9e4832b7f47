"""course.learner.hints: hints one at a time, solutions, the list of exercises."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course.core import manifest, paths
from course.exercises.kit import start
from course.learner import hints, progress


def test_hints_come_one_at_a_time_and_survive_a_reset(mini: Path) -> None:
    assert hints.hint("mini-1") == "1. Which file?\n(1 more: course hint mini-1)"
    start.goto("mini-1")
    assert "2. echo the word" in hints.hint("mini-1")
    assert hints.hint("mini-1").endswith("(that was the last one)")


def test_the_solution_comes_when_asked_twice_or_after_success(mini: Path) -> None:
    assert "not passed yet" in hints.solution("mini-1")
    assert 'echo word > "$folder/word.txt"' in hints.solution("mini-1")
    start.begin("mini-2")
    progress.record("mini-2", passed=True, found={})
    assert "pathlib" in hints.solution("mini-2")


def test_the_list_has_the_learners_state(mini: Path) -> None:
    start.begin("mini-2")
    rows = hints.listing(manifest.load())
    assert rows[1] == {
        "id": "mini-2",
        "part": 1,
        "lesson": "01-mini",
        "title": "The file is no link",
        "minutes": 1,
        "needs": [],
        "hints": 2,
        "state": "started",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_an_os_error(mini: Path) -> None:
    paths.work().mkdir()
    paths.work().chmod(0o500)
    with pytest.raises(PermissionError):
        hints.hint("mini-1")
