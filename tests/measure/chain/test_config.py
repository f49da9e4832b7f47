"""course.measure.chain.config: what a container waits for."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("config"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_pod_that_is_being_set_up_waits_for_nothing_that_is_missing() -> None:
    starting = apps.app("config/volume")
    del starting.things["Event", "mount"]
    assert apps.said_of(starting) is None
