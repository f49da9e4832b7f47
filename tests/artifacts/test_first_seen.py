"""course.artifacts.first_seen: what was seen first is not forgotten in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.artifacts import first_seen
from course.core.errors import CourseError


def test_a_record_that_is_damaged_or_of_a_newer_version_is_not_forgotten_in_silence(
    home: Path,
) -> None:
    first_seen.keep("a", "1")
    assert first_seen.keep("a", "2").value == "2"
    for text, said in (
        ("{", "damaged"),
        ("[" * 100_000, "damaged"),
        ('{"format": 1, "seen": {"a": {"value": "1"}}}', "damaged"),
        ('{"format": 1, "seen": {"a": "1"}}', "damaged"),
        ('{"format": 1, "seen": {"a": {"value": 1, "since": "x"}}}', "damaged"),
        ('{"format": 9, "seen": {}}', "format 9"),
        ('{"format": 9, "seen": {"a": {"of": "later"}}}', "format 9"),
    ):
        first_seen.file().write_text(text)
        with pytest.raises(CourseError, match=said):
            first_seen.first("a")
        with pytest.raises(CourseError, match=said):
            first_seen.keep("b", "1")
        assert first_seen.file().read_text() == text
