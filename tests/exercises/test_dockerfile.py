"""Exercises of 02-dockerfile: what their checks rely on, without an engine."""

from __future__ import annotations

import json

import pytest

from course.exercises import dockerfile
from course.exercises.kit.verdict import Wrong
from course.measure.builds import Build, Step


def test_the_parts_of_orders_that_a_check_edits_are_there() -> None:
    assert dockerfile.orders_file("src/app.ts").count(dockerfile._ORDERS_ROOT) == 1
    assert dockerfile.orders_file("package.json").count(dockerfile._ENGINES) == 1
    assert "FROM node:20-slim\n" in dockerfile.notes_dockerfile()
    assert "--only=production" in dockerfile.notes_dockerfile()


def test_lock_and_package_agree_and_the_lock_pins_what_a_range_would_not() -> None:
    packages = dockerfile._GREET_PACKAGES
    package = json.loads(dockerfile._package("greet", "1.0.0", packages))
    lock = json.loads(dockerfile._lock("greet", "1.0.0", packages))
    assert lock["packages"][""]["dependencies"] == package["dependencies"]
    for name, wanted in package["dependencies"].items():
        assert wanted == "^" + lock["packages"][f"node_modules/{name}"]["version"]


def test_the_rule_of_thumb_is_dearer_whenever_the_compression_is_much_slower() -> None:
    for ratio in (1.5, 3, 10):
        days = {first: dockerfile._day(1, ratio, first=first) for first in ("index", "compress")}
        assert days["compress"] < days["index"]
        assert dockerfile._day(1, ratio, first="none") < days["compress"]


@pytest.mark.parametrize(
    ("claim", "cause"),
    [
        ({"index_s": 1, "compress_s": 5, "day_s": 41, "other_day_s": 60}, ""),
        ({"index_s": 2, "compress_s": 6, "day_s": 58, "other_day_s": 76}, ""),
        ({"index_s": 5, "compress_s": 1, "day_s": 61, "other_day_s": 36}, "not-measured-here"),
        ({"index_s": 0, "compress_s": 0, "day_s": 0, "other_day_s": 0}, "not-measured-here"),
        ({"index_s": 1, "compress_s": 5, "day_s": 60, "other_day_s": 41}, "day-miscounted"),
        ({"index_s": 1, "compress_s": 5, "day_s": 41, "other_day_s": 41}, "other-day-miscounted"),
    ],
)
def test_a_measurement_is_compared_by_its_ratio_and_its_sums(
    claim: dict[str, float], cause: str
) -> None:
    def compare() -> None:
        dockerfile.CheaperOrder()._compare(claim, 1.0, 5.0, compress_too=False, index_too=True)

    if not cause:
        compare()
        return
    with pytest.raises(Wrong) as told:
        compare()
    assert told.value.cause == cause


def test_the_step_that_cost_most_is_named() -> None:
    copy = Step("", 3, "COPY . .", False, 0, 9)
    short = Step("", 4, "RUN true", False, 9, 0.1)
    long = Step("", 5, "RUN npm ci", False, 10, 7)
    assert dockerfile._slowest(Build((copy, short, long), 17)) == "step 5 `RUN npm ci` (7.0 s)"
