"""course.exercises.kit.exercise: the code of an exercise is registered and found."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from course.core.errors import CourseError
from course.exercises.kit import check as check_
from course.exercises.kit import exercise, start


def test_nothing_changed_is_wrong_for_the_cause_that_is_declared(words: Path) -> None:
    start.begin("mini-1")
    assert check_.check("mini-1").cause == exercise.find("mini-1").start_cause == "other-word"


def test_an_exercise_without_code_is_named(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(exercise._found, "mini-2")
    monkeypatch.setitem(sys.modules, "course.exercises.mini", ModuleType("mini"))
    with pytest.raises(CourseError, match="mini-2 has no start state and no check"):
        exercise.find("mini-2")
