"""What the check of rolling-5 believes of a learner's figures, and what it takes off its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from course.exercises import strategy_choice
from course.exercises.kit.lab import Lab
from course.measure.rollout import Sample
from tests.exercises.borrowed_shop import cause
from tests.exercises.shops import sample, tried


@pytest.mark.parametrize(("revision", "named"), [(2, "not-measured"), (3, "")])
def test_the_releases_of_a_learner_are_those_after_the_start(
    judged: Any, revision: int, named: str
) -> None:
    figures = {
        "more": {"seconds": 24, "peak": 5, "fewest_ready": 4},
        "fewer": {"seconds": 13, "peak": 4, "fewest_ready": 2},
    }
    Lab("rolling-5").write("decision.json", json.dumps({"choice": "fewer", "measured": figures}))
    samples = (sample(1, 4), sample(2, 2, 2), sample(8, 2, 2))
    seen = tried(samples=samples, seconds=12.4, desired=4, revision=revision)
    assert cause(judged, "rolling-5", there=seen) == named


@pytest.mark.parametrize(
    ("moments", "seconds", "own"),
    [
        ((sample(1, 4), sample(3, 2, 2, "Pending"), sample(7, 2, 2)), 20.0, 16.0),
        # What the pod itself does before its start is not the machine's.
        ((sample(1, 4), sample(3, 2, 2, "Init:0/1"), sample(9, 2, 2)), 20.0, 20.0),
        ((sample(1, 4), sample(3, 2, 2, "ContainerCreating"), sample(4, 2, 2)), 0.0, 29.0),
    ],
)
def test_the_time_until_containers_start_is_the_machines(
    moments: tuple[Sample, ...], seconds: float, own: float
) -> None:
    assert strategy_choice.Duration(tried(samples=moments, seconds=seconds), "").own == own


@pytest.mark.parametrize(
    ("figures", "possible"),
    [
        ((24.0, 5, 4), True),
        ((26.0, 4, 3), True),
        ((6.5, 4, 0), True),
        ((6.5, 8, 4), True),
        ((9.0, 5, 4), False),  # four rounds of 5 s
        ((3.0, 4, 0), False),  # less than one start
        ((24.0, 4, 4), False),  # no pod more and none away
        ((24.0, 12, 4), False),
    ],
)
def test_figures_that_no_four_pods_can_give_are_not_believed(
    figures: tuple[float, float, float], possible: bool
) -> None:
    assert strategy_choice._possible(*figures) is possible
