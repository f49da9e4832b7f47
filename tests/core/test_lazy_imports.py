"""course.core.lazy_imports: the names of `course`, `course.measure` and `course.views`."""

from __future__ import annotations

from types import ModuleType

import pytest

import course
import course.measure
import course.views


@pytest.mark.parametrize("face", [course, course.measure, course.views])
def test_every_public_name_of_a_face_is_there(face: ModuleType) -> None:
    for name in face.__all__:
        assert getattr(face, name) is not None
    assert sorted(face._HOMES) == sorted(face.__all__)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError, match="chekc"):
        course.chekc  # noqa: B018
