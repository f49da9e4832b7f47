"""course.measure.chain.policy: who may call whom."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("policy"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


def test_policies_that_allow_what_the_app_does_are_no_break() -> None:
    app = apps.app("policy/only-dns")
    rules = app.things["NetworkPolicy", "closed"]["spec"]["egress"]
    rules.append(
        {"to": [{"podSelector": {"matchLabels": {"app": "db"}}}], "ports": [{"port": 5432}]}
    )
    app.things["NetworkPolicy", "in"] = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "in", "namespace": "course"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "shop"}},
            "ingress": [
                {
                    "from": [
                        {
                            "namespaceSelector": {},
                            "podSelector": {"matchLabels": {"app": "traefik"}},
                        }
                    ],
                    "ports": [{"port": 2900, "endPort": 3100}],
                }
            ],
        },
    }
    assert apps.said_of(app) is None


def test_a_service_that_nobody_names_is_closed_only_if_nobody_may_call() -> None:
    app = apps.app("policy/deny-in")
    del app.things["HTTPRoute", "shop"]
    found = apps.said_of(app)
    assert found and found.wanted.startswith("whoever calls it allowed")
    app.things["NetworkPolicy", "closed"]["spec"]["ingress"] = [{"from": [{"podSelector": {}}]}]
    assert apps.said_of(app) is None


def test_addresses_are_not_judged() -> None:
    app = apps.app("policy/other-labels")
    block = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    app.things["NetworkPolicy", "closed"]["spec"]["ingress"] = [{"from": [block]}]
    assert apps.said_of(app) is None


def test_a_pod_that_names_its_own_service_is_no_caller() -> None:
    app = apps.app("policy/other-labels")
    (container,) = app.things["Pod", "shop-6c9f7d5b84-2lq8x"]["spec"]["containers"]
    container["env"] = [{"name": "PUBLIC_URL", "value": "http://shop/"}]
    app.things["NetworkPolicy", "closed"]["spec"] = {
        "podSelector": {"matchLabels": {"app": "shop"}},
        "ingress": [
            {
                "from": [
                    {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "traefik"}}}
                ]
            }
        ],
    }
    assert apps.said_of(app) is None
