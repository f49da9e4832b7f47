"""course.measure.chain.ingress: what keeps an Ingress from leading to a Service."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("ingress"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_a_port_may_be_named_and_the_default_backend_counts() -> None:
    mended = apps.app("ingress/class")
    mended.things["Ingress", "shop"]["spec"]["ingressClassName"] = "traefik"
    assert apps.said_of(mended) is None
