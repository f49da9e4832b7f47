"""course.measure.chain.created: what the API server refuses."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("created"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_refusal_that_is_over_says_nothing() -> None:
    over = apps.app("created/job-without-account")
    over.things["Job", "import"]["status"]["succeeded"] = 1
    assert apps.said_of(over) is None
    again = apps.app("created/quota")
    again.things["ReplicaSet", "shop-6c9f7d5b84"]["status"]["conditions"] = []
    assert apps.said_of(again) is None


def test_a_replica_set_of_its_own_is_named_itself() -> None:
    app = apps.app("created/quota-demands")
    del app.things["ReplicaSet", "shop-6c9f7d5b84"]["metadata"]["ownerReferences"]
    template = {"metadata": {"labels": {"app": "shop"}}, "spec": {}}
    app.things["ReplicaSet", "shop-6c9f7d5b84"]["spec"]["template"] = template
    found = apps.said_of(app)
    assert found and found.object == "ReplicaSet shop-6c9f7d5b84"
