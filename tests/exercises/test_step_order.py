"""The observation of dockerfile-4, with a builder that does the steps on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from course.exercises import step_order
from course.exercises.kit.lab import Lab
from course.measure.builds import Build, Step
from tests.exercises.local_builder import Builder, Steps, cause, node, taking

SITE: Steps = {
    "RUN node tools/compress.mjs": (("tools", "assets"), node("tools/compress.mjs")),
    "RUN node tools/index.mjs": (("tools", "data"), node("tools/index.mjs")),
}
TIMETABLE = "08:00 Harbour Lane\n"
FIGURES = {"index_s": 0.2, "compress_s": 0.8, "day_s": 7.0, "other_day_s": 9.8}


@pytest.fixture
def site(built: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Judge a site with a short timetable, by what its steps do and by figures."""
    monkeypatch.setattr(step_order, "_timetable", lambda: TIMETABLE)
    monkeypatch.setattr(Lab, "recall", lambda *_: '{"data": 5, "assets": 6}')

    def judged(
        steps: Steps,
        figures: dict[str, float] = FIGURES,
        *,
        apart: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> Lab:
        files = {"assets/timetable.txt": TIMETABLE, "measured.json": json.dumps(figures)}
        lab: Lab = built("dockerfile-4", steps, files | dict(more or {}), apart=apart)
        return lab

    return judged


def test_a_site_is_right_where_the_figures_are_those_of_its_order(site: Any) -> None:
    assert site(SITE).notes[0] == "seconds here: index 0.2, compression 0.8"


def test_a_site_in_stages_costs_neither_order(site: Any) -> None:
    assert site(SITE, FIGURES | {"day_s": 5.8}, apart=True).notes


def test_an_order_is_seen_whatever_the_step_says_of_its_time(site: Any) -> None:
    def dated_back(copy: Builder, given: dict[str, str]) -> str:
        failed = node("tools/compress.mjs")(copy, given)
        copy.write("public/made", "1")
        return failed

    steps = dict(reversed(SITE.items()))
    steps["RUN node tools/compress.mjs"] = (("tools", "assets"), dated_back)
    assert cause(site, steps) == "dearer-order"


def test_each_change_that_redoes_both_is_seen(site: Any) -> None:
    assert cause(site, taking("", SITE)) == "all-again"


def test_the_better_order_is_the_one_whose_slow_step_waits_for_nothing() -> None:
    for data, ratio in ((5, 1.25), (6, 4.0), (7, 10.0)):
        day = step_order.Day(data, data + 1, 1.0, ratio)
        assert day.seconds("") < day.seconds("compress") < day.seconds("index")


def test_a_day_that_is_counted_with_the_changes_of_the_other_is_out_of_reach() -> None:
    for data in (5, 6, 7):
        day = step_order.Day(data, data + 1, 0.3, 1.2)
        swapped = step_order.Day(data + 1, data, 0.3, 1.2).seconds("compress")
        assert not step_order._is_day(swapped, day, "compress")
        assert step_order._is_day(round(day.seconds("compress"), 1), day, "compress")


def test_a_step_that_nothing_makes_is_said_before_its_day_is_counted(site: Any) -> None:
    host = {"RUN true": (("tools", "data"), lambda *_: "")}
    compress = {"RUN node tools/compress.mjs": SITE["RUN node tools/compress.mjs"]}
    index = {"index.json": '{"made": 1, "words": {"hill": []}}'}
    assert cause(site, compress | host, FIGURES | {"day_s": 1.0}, more=index) == "stale-output"


def test_another_slow_step_below_is_not_counted() -> None:
    index = Step("", 4, "RUN npm run index", False, 0, 0.3, log=("here runs: index.",))
    other = Step("", 5, "RUN sleep 3", False, 0.3, 3.0)
    assert step_order._seconds(Build((index, other), 3.3), "index") == 0.3
    assert step_order._seconds(Build((other,), 3.3), "index") == 3.0
