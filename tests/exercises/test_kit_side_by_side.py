"""Runs that a check observes at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from course.exercises.kit.facts import Facts, judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.side_by_side import Run, patiently, side_by_side
from course.exercises.kit.verdict import Wrong


@dataclass(frozen=True)
class Step(Facts):
    """A step of a run."""

    name: str

    def wrong(self) -> Wrong | None:
        return Wrong("bad-step", saw=self.name, want="", try_="") if "bad" in self.name else None

    def notes(self) -> Iterator[str]:
        yield self.name


def run(name: str, waits: int, ends: list[str], *, bad: bool = False) -> Run:
    try:
        left = iter(range(waits, -1, -1))
        yield from patiently(lambda: next(left), lambda rounds: rounds == 0)
        yield Step(f"bad {name}" if bad else name)
        yield Step(f"{name} again")
    except Wrong as wrong:
        raise wrong.at("at its second start") from None
    finally:
        ends.append(name)


def test_each_run_takes_its_turn_until_it_ends() -> None:
    lab, ends = Lab("containers-1"), list[str]()
    judge(lab, side_by_side(run("slow", 2, ends), run("quick", 0, ends), pause=0))
    assert lab.notes == ["quick", "quick again", "slow", "slow again"]
    assert ends == ["quick", "slow"]


def test_what_is_wrong_is_told_by_the_run_that_saw_it_and_ends_the_others() -> None:
    lab, ends = Lab("containers-1"), list[str]()
    runs = run("slow", 9, ends), run("quick", 1, ends, bad=True)
    with pytest.raises(Wrong) as caught:
        judge(lab, side_by_side(*runs, pause=0))
    assert caught.value.saw == "at its second start, bad quick"
    assert sorted(ends) == ["quick", "slow"]
