"""course.measure.chain.scheduled: what no node has."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("scheduled"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_claims_that_cannot_be_read_leave_the_pod_to_blame() -> None:
    found = apps.said_of(apps.app("scheduled/storage-class"), without=["persistentvolumeclaims"])
    assert found and (found.link, found.object) == ("scheduled", "Deployment shop")
    assert "unbound immediate PersistentVolumeClaims" in found.proof
