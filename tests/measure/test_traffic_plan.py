"""course.measure.traffic.plan: which requests are planned, and who reads the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.measure.traffic.plan import Plan

URL = "http://orders.localhost:8080/"


@pytest.mark.parametrize(
    ("rate", "time", "planned"),
    [
        (2.5, 1, 3),
        (0.5, 5, 3),
        (500, 30, 15_000),
        (1.1, 10, 11),
        (0.7, 10, 7),
        (3, 0.1, 1),
        (0.001, 1, 1),
        (3000, 3600, 10_800_000),
        (999.9, 0.3, 300),
        (1e-300, 1, 1),
    ],
)
def test_each_request_whose_time_comes_before_the_end_is_planned(
    rate: float, time: float, planned: int
) -> None:
    assert Plan(URL, float(rate), float(time)).planned == planned


def test_a_plan_is_read_by_its_owner_alone(tmp_path: Path) -> None:
    Plan("http://x/", 1.0, 1.0, headers=(("Authorization", "Basic c2VjcmV0"),)).save(tmp_path)
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o600
