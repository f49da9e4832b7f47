"""course.exercises.kit.draw: what a check makes up."""

from __future__ import annotations

from course.exercises.kit import draw
from course.exercises.kit.draw import Draw


def test_what_is_drawn_differs_from_check_to_check() -> None:
    assert len({Draw().word(12) for _ in range(20)}) == 20
    assert {Draw(7).number(1, 6) for _ in range(20)} == {Draw(7).number(1, 6)}


def test_a_delay_is_longer_than_the_answers_own_and_not_without_end() -> None:
    drawn = [Draw(seed).past(3.0) for seed in range(50)]
    assert min(drawn) >= 5.0 and max(drawn) <= 9.0 and len(set(drawn)) == 50
    assert Draw(1).past(600) == draw.LONGEST
