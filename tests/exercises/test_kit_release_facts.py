"""course.exercises.kit.release_facts: how a release went; all messages: tests/messages/."""

from __future__ import annotations

import pytest

from course.core.errors import CourseError
from course.exercises.kit import release_facts
from tests.exercises.shops import tried


def test_a_release_that_does_not_end_is_no_verdict() -> None:
    release_facts.finished(tried())
    with pytest.raises(CourseError, match="was not over in time"):
        release_facts.finished(tried(seconds=0.0))
