"""course.measure.chain.probe: what fails of what runs."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("probe"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_pod_that_starts_is_given_the_time_that_its_probe_gives() -> None:
    app = apps.app("probe/port")
    (status,) = app.things["Pod", "shop-6c9f7d5b84-2lq8x"]["status"]["containerStatuses"]
    status["state"]["running"]["startedAt"] = "2026-11-27T11:59:57Z"
    assert apps.said_of(app) is None
    event = app.things["Event", "unready"]
    event["lastTimestamp"] = "2026-11-27T11:59:59Z"
    assert apps.said_of(app) is None
    event["message"] = "Readiness probe failed: HTTP probe failed with statuscode: 404"
    assert apps.said_of(app) is not None


def test_a_failure_of_before_says_nothing_of_a_pod_that_is_ready() -> None:
    app = apps.app("probe/not-found")
    for thing in app.things["Pod", "shop-6c9f7d5b84-2lq8x"]["status"]["conditions"]:
        thing["status"] = "True"
    assert apps.said_of(app) is None


def test_without_events_a_pod_that_is_not_ready_is_named_by_its_condition() -> None:
    found = apps.said_of(apps.app("probe/not-found"), without=["events"])
    assert found and found.field.endswith("containers[shop].readinessProbe.httpGet")
    assert found.proof.startswith("condition Ready of Pod shop-6c9f7d5b84-2lq8x is False")


def test_what_has_a_startup_probe_is_not_asked_before_that_has_succeeded() -> None:
    app = apps.app("probe/timeout")
    (status,) = app.things["Pod", "shop-6c9f7d5b84-2lq8x"]["status"]["containerStatuses"]
    status["started"] = False
    assert apps.said_of(app) is None
