"""course.measure.chain.access: rights that a log says are missing."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("access"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_right_that_was_given_since_is_not_missed() -> None:
    app = apps.app("access/role-without-verb")
    app.things["Role", "reader"]["rules"][0]["resources"].append("pods")
    assert apps.said_of(app) is None
    app.things["Role", "reader"]["rules"] = []
    app.things["ClusterRole", "system:basic-user"]["rules"] = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    ]
    assert apps.said_of(app) is None


def test_roles_that_cannot_be_read_leave_the_account_to_name() -> None:
    found = apps.said_of(apps.app("access/no-binding"), without=["clusterroles"])
    assert found and found.object == "ServiceAccount reader"
