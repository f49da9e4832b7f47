"""course.measure.chain.route: what keeps a request from coming through the gateway."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("route"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_condition_of_an_older_route_says_nothing() -> None:
    mended = apps.app("route/hostname")
    mended.things["HTTPRoute", "shop"]["metadata"]["generation"] = 2
    assert apps.said_of(mended) is None


def test_a_route_that_was_made_just_now_is_given_time() -> None:
    new = apps.app("route/nobody-looked")
    new.things["HTTPRoute", "shop"]["metadata"]["creationTimestamp"] = "2026-11-27T11:59:58Z"
    assert apps.said_of(new) is None


def test_a_grant_for_the_service_lets_the_route_cross_namespaces() -> None:
    granted = apps.app("route/grant-of-others")
    grant = granted.things["ReferenceGrant", "of-others"]["spec"]
    grant["from"][0]["namespace"] = "course"
    assert apps.said_of(granted) is None
    grant["to"][0]["name"] = "another"
    assert apps.said_of(granted) is not None


def test_a_listener_may_choose_namespaces_by_label() -> None:
    chosen = apps.app("route/namespaces-by-label")
    chosen.things["Namespace", "course"]["metadata"]["labels"]["shared"] = "true"
    assert apps.said_of(chosen) is None


def test_a_name_that_no_route_is_for_is_named_with_the_nearest() -> None:
    found = apps.said_of(apps.app(), host="shopp.course.localhost")
    assert found and (found.link, found.object, found.field) == (
        "route",
        "HTTPRoute",
        "spec.hostnames",
    )
    assert found.seen == "none is for it; there is shop.course.localhost"
