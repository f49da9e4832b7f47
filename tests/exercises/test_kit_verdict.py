"""course.exercises.kit.verdict: a result as a card and as an object."""

from __future__ import annotations

import json

from course.exercises.kit.verdict import Result


def test_a_card_shows_what_was_seen_as_text() -> None:
    result = Result("mini-1", "T", "failed", "c", "<script>alert(1)</script>", "w", "t")
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    assert "✗" in result._repr_html_()  # not by colour alone


def test_a_result_is_an_object_for_machines() -> None:
    result = Result("mini-1", "T", "failed", "c", "s", "w", "t", 1.5, (("a run", 0.4),))
    assert json.loads(json.dumps(result.as_dict()))["observed"] == [["a run", 0.4]]
