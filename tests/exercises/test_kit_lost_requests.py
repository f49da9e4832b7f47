"""course.exercises.kit.lost_requests: what lost a request; all messages: tests/messages/."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from course.exercises.kit import lost_requests
from course.exercises.kit.lost_requests import Lossless
from tests.exercises.shop_lab import Object, cause_of
from tests.exercises.shops import CUT, EARLY, beside, deployment, tried


@pytest.mark.parametrize(
    "options", [{}, {"renamed": "web"}, {"renamed": "web", "native": True}], ids=str
)
@pytest.mark.parametrize(
    ("named", "failure", "change"),
    [
        ("no-probe", EARLY, {"readinessProbe": None}),
        ("lying-probe", EARLY, {"readinessProbe": {"httpGet": {"path": "/healthz"}}}),
        ("slow-start-hidden", EARLY, {"env": {"FAULT_START_MS": "0"}}),
        ("instant-exit", CUT, {"lifecycle": None, "env": {"DRAIN_MS": "0"}}),
    ],
)
def test_the_cause_is_the_shops_own_whatever_stands_beside_it(
    named: str, failure: Any, change: Object, options: Object
) -> None:
    made = beside(deployment(**copy.deepcopy(change)), **options)
    assert cause_of(Lossless(tried(failure), made, "2000", 0.2)) == named


@pytest.mark.parametrize(
    ("hook", "seconds"),
    [
        (None, 0),
        ({"sleep": {"seconds": 4}}, 4),
        ({"exec": {"command": ["sleep", "2.5"]}}, 2.5),
        ({"exec": {"command": ["sh", "-c", "curl localhost/leave; sleep 6"]}}, 6),
        ({"httpGet": {"path": "/leave"}}, 0),
    ],
)
def test_a_hook_sleeps_as_long_as_it_says(hook: Any, seconds: float) -> None:
    assert lost_requests.hook_seconds(hook) == seconds


@pytest.mark.parametrize(
    ("hook", "drain", "grace", "named"),
    [
        (4, "0", 30, "hook-only"),
        (9, "0", 30, "hook-only"),
        (4, "5000", 30, "drain-too-short"),
        (4, "10000", 9, "grace-too-short"),
        (12, "0", 7, "grace-too-short"),
        (8, "10000", 8, "prestop-too-short"),
        (4, "10000", 30, "prestop-too-short"),
    ],
)
def test_a_request_that_takes_long_needs_hook_drain_and_grace(
    hook: int, drain: str, grace: int, named: str
) -> None:
    made = deployment(
        lifecycle={"preStop": {"sleep": {"seconds": hook}}},
        env={"DRAIN_MS": drain},
        pod={"terminationGracePeriodSeconds": grace},
    )
    assert cause_of(Lossless(tried(CUT), made, "0", 9.5)) == named
