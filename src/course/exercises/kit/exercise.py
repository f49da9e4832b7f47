"""Register an exercise's code, and find it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TypeVar

from course.core import manifest
from course.core.errors import CourseError
from course.exercises.kit.declared import Declared, Observing, Start

_Class = TypeVar("_Class", bound=type[Observing])
_found: dict[str, Declared] = {}


def exercise(
    id_: str,
    *,
    start_cause: str,
    makes: tuple[str, ...] = (),
    image: str = "",
    pushed: str = "",
) -> Callable[[_Class], _Class]:
    """Register a class as the code of an exercise, with its start state.

    Args:
        id_: the exercise's id in `course.toml`.
        start_cause: what its check says where nothing was changed.
        makes: see `Start`.
        image: see `Start`.
        pushed: see `Start`.
    """

    def register(code: _Class) -> _Class:
        _found[id_] = Declared(id_, code(), Start(makes, image, pushed), start_cause)
        return code

    return register


def find(id_: str) -> Declared:
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
