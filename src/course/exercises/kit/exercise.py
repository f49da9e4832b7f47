"""Register an exercise's code, and find it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from course.core import manifest
from course.core.errors import CourseError

if TYPE_CHECKING:
    from course.exercises.kit.lab import Lab


class ExerciseCode(Protocol):
    """What an exercise needs beside its text."""

    def begin(self, lab: Lab) -> None:
        """Set the start state in `lab.folder()` and on the engine."""

    def check(self, lab: Lab) -> None:
        """Look at the world; return if it is right.

        Raises:
            Wrong: it is not.
        """


_Class = TypeVar("_Class", bound=type[ExerciseCode])
_found: dict[str, ExerciseCode] = {}


def exercise(id_: str) -> Callable[[_Class], _Class]:
    """Register a class as the code of an exercise.

    Args:
        id_: the exercise's id in `course.toml`.
    """

    def register(code: _Class) -> _Class:
        _found[id_] = code()
        return code

    return register


def find(id_: str) -> ExerciseCode:
    """The code of an exercise.

    Raises:
        CourseError: its lesson's module has none.
    """
    if id_ not in _found:
        module = manifest.load().lesson_of(id_).module
        importlib.import_module(f"course.exercises.{module}")
    if id_ not in _found:
        raise CourseError(f"{id_} has no start state and no check", "a class for it", "")
    return _found[id_]
