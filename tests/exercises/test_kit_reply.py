"""course.exercises.kit.reply: an answer is read whatever it holds."""

from __future__ import annotations

import pytest

from course.exercises.kit.reply import Ended, Reply, Running


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"slug": "a-b"}', "a-b"),
        ('{"slug": 12}', "12"),
        ('{"other": 1}', "None"),
        ("Bad Gateway", "Bad Gateway"),
        ("[1]", "[1]"),
        ('"text"', '"text"'),
        ("", ""),
        ("{" * 60, "{" * 60),
        ("[" * 1_000_000, "[" * 60),
        ('{"slug": ' + "9" * 5000 + "}", '{"slug": ' + "9" * 51),
        ('{"slug": "' + "9" * 5000 + '"}', "9" * 399 + "…"),
        ('{"slug": NaN}', "nan"),
    ],
)
def test_a_field_is_a_short_text_whatever_the_body(body: str, field: str) -> None:
    assert Reply(200, body).field("slug") == field


def test_without_a_reply_a_field_is_empty() -> None:
    assert Running().field("slug") == Ended(1, "Error: x").field("slug") == ""


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", "an empty log"),
        ("a\nTypeError: b\n  at c\n", "TypeError: b"),
        ("sh: 1: noode: not found\n", "sh: 1: noode: not found"),
        ("y" * 1000, "y" * 160),
    ],
)
def test_the_line_that_says_most_of_an_end(log: str, line: str) -> None:
    assert Ended(1, log).line == line
