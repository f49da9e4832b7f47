"""Register an exercise's code, and find it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

from course.core import manifest
from course.core.errors import CourseError
from course.exercises.kit.declared import Declared, Observing, Start

if TYPE_CHECKING:
    from course.exercises.kit.lab import Lab


@runtime_checkable
class ExerciseCode(Protocol):
    """What an exercise needs beside its text."""

    def begin(self, lab: Lab) -> None:
        """Set the start state in `lab.folder()` and on the engine."""

    def check(self, lab: Lab) -> None:
        """Look at the world; return if it is right.

        Raises:
            Wrong: it is not.
        """


_Class = TypeVar("_Class", bound=type[ExerciseCode] | type[Observing])
_found: dict[str, ExerciseCode] = {}


def exercise(
    id_: str,
    *,
    makes: tuple[str, ...] = (),
    image: str = "",
    pushed: str = "",
    start_cause: str = "",
) -> Callable[[_Class], _Class]:
    """Register a class as the code of an exercise.

    It observes (`Observing`), with its start state declared here; or it sets and checks by itself
    (`ExerciseCode`).

    Args:
        id_: the exercise's id in `course.toml`.
        makes: see `Start`.
        image: see `Start`.
        pushed: see `Start`.
        start_cause: what its check says where nothing was changed.
    """

    def register(code: _Class) -> _Class:
        made = code()
        if isinstance(made, ExerciseCode):
            _found[id_] = made
        else:
            _found[id_] = Declared(id_, made, Start(makes, image, pushed), start_cause)
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


def start_cause(id_: str) -> str:
    """What the check of an exercise says where nothing was changed.

    Raises:
        CourseError: its code does not declare it.
    """
    code = find(id_)
    declared = code.start_cause if isinstance(code, Declared) else ""
    if not declared:
        raise CourseError(f"{id_} does not say what an unchanged answer is", "start_cause=…", "")
    return declared
