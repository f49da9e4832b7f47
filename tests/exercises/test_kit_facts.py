"""course.exercises.kit.facts: what a check has seen is judged stage by stage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from course.exercises.kit.facts import Observation, judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from tests.exercises.words import Word


def test_each_stage_is_judged_before_the_next_begins() -> None:
    seen = []

    def observe() -> Observation:
        for word in ("word", "wrod", "never"):
            seen.append(word)
            yield Word(word)

    lab = Lab("mini-1")
    with pytest.raises(Wrong, match="wrod"):
        judge(lab, observe())
    assert seen == ["word", "wrod"]
    assert lab.notes == ["the word is there"]


def test_a_wrong_stage_ends_what_runs_and_what_runs_may_name_the_cause_behind() -> None:
    ended = []

    @contextlib.contextmanager
    def service() -> Iterator[None]:
        try:
            yield
        except Wrong as wrong:
            raise wrong.at("at its second start") from None
        finally:
            ended.append("service")

    def observe() -> Observation:
        with service():
            yield Word("wrod")

    with pytest.raises(Wrong) as caught:
        judge(Lab("mini-1"), observe())
    assert caught.value.saw == "at its second start, `wrod`" and caught.value.timed
    assert ended == ["service"]


def test_an_observation_cannot_hide_what_is_wrong() -> None:
    def observe() -> Observation:
        with contextlib.suppress(Wrong):
            yield Word("wrod")
        yield Word("word")

    with pytest.raises(Wrong, match="other-word"):
        judge(Lab("mini-1"), observe())
