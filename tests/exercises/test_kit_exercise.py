"""course.exercises.kit.exercise: the code of an exercise, of either form."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core.errors import CourseError
from course.exercises.kit import check as check_
from course.exercises.kit import exercise, start
from course.exercises.kit.exercise import ExerciseCode


def test_nothing_changed_is_wrong_for_the_cause_that_is_declared(words: Path) -> None:
    start.begin("mini-1")
    assert check_.check("mini-1").cause == exercise.start_cause("mini-1") == "other-word"


def test_an_exercise_that_checks_by_itself_declares_no_cause(mini: Path) -> None:
    assert isinstance(exercise.find("mini-2"), ExerciseCode)
    with pytest.raises(CourseError, match="mini-2 does not say"):
        exercise.start_cause("mini-2")
