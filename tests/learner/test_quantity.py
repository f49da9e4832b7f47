"""course.learner.quantity: a number as people type it."""

from __future__ import annotations

from pathlib import Path

import pytest

from course import notebook
from course.core.errors import CourseError
from course.learner.quantity import parse_quantity


@pytest.mark.parametrize(
    ("typed", "number"),
    [("300", 300), (" 1 200 ", 1200), ("0.4 s", 0.4), ("12s", 12), ("1_000", 1000), (7, 7)],
)
def test_a_number_as_people_type_it(typed: str | float, number: float) -> None:
    assert parse_quantity(typed, "s") == number


@pytest.mark.parametrize("typed", ["", "about 3", "1,200", "nan", "inf", "3 MB", True, "1e999"])
def test_what_is_no_number_is_refused_by_name(mini: Path, typed: str | float) -> None:
    with pytest.raises(CourseError) as caught:
        notebook.predict("mini-s", "How long?", unit="s", value=typed)
    assert "write e.g. 1200 or 0.4" in caught.value.try_
    assert notebook.predicted("mini-s") is None
