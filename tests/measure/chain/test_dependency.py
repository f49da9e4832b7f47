"""course.measure.chain.dependency: names that no Service has."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("dependency"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_name_that_a_container_never_asked_for_is_left_alone() -> None:
    idle = apps.app("dependency/said-while-ready")
    idle.logs.clear()
    assert apps.said_of(idle) is None


@pytest.mark.parametrize(
    "value",
    ["http://localhost:8080", "http://api.example.com/", "postgres://u:p@db/shop", "db:5432"]
    + ["http://db.course.svc.cluster.local:80", "one two", "http://shop-6c9f7d5b84-2lq8x"],
)
def test_names_that_have_an_address_or_may_have_one_elsewhere(value: str) -> None:
    app = apps.app("dependency/unresolved")
    (container,) = app.things["Pod", "shop-6c9f7d5b84-2lq8x"]["spec"]["containers"]
    container["env"] = [{"name": "CACHE_URL", "value": value}]
    found = apps.said_of(app)
    assert found and found.link == "crash"
