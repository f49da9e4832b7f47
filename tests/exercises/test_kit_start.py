"""course.exercises.kit.start: an exercise is set to its start state, once and from anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core import paths
from course.core.errors import CourseError
from course.exercises.kit import exercise, start
from course.exercises.kit.lab import Lab
from course.learner import progress


def test_begin_sets_the_start_state_once(mini: Path) -> None:
    word = paths.work() / "mini-1" / "word.txt"
    assert "start state set" in start.begin("mini-1")
    word.write_text("mine")
    assert "as you left them" in start.begin("mini-1")
    assert word.read_text() == "mine"


@pytest.mark.parametrize("state", ["new", "started", "passed"])
def test_goto_works_from_any_state_and_saves_first(mini: Path, state: str) -> None:
    word = paths.work() / "mini-1" / "word.txt"
    if state != "new":
        start.begin("mini-1")
        word.write_text("mine")
    if state == "passed":
        progress.record("mini-1", passed=True, found={})
    text = start.goto("mini-1")
    assert word.read_text() == "" and progress.state("mini-1") == "started"
    if state != "new":
        saved = list((paths.work() / ".saved").glob("*/mini-1/word.txt"))
        assert [s.read_text() for s in saved] == ["mine"]
        assert str(saved[0].parents[1]) in text


def test_a_start_state_that_breaks_off_is_not_started(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(lab: Lab) -> None:
        lab.write("half.txt", "half")
        raise KeyboardInterrupt

    monkeypatch.setattr(exercise.find("mini-1"), "begin", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start.begin("mini-1")
    assert progress.state("mini-1") == "new"
    monkeypatch.undo()


def test_what_an_exercise_needs_must_be_there(mini: Path) -> None:
    file = mini / "course.toml"
    file.write_text(
        file.read_text().replace("minutes = 1\nneeds = []", 'minutes = 1\nneeds = ["cluster"]')
    )
    with pytest.raises(CourseError, match="needs `cluster`: no cluster is running"):
        start.begin("mini-1")
