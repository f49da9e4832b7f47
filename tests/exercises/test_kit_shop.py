"""course.exercises.kit.shop: the manifest of the labs' shop, and what a start state takes away."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from course.core.errors import CourseError
from course.exercises.kit import shop
from course.exercises.kit.lab import Lab
from course.exercises.kit.shop import Shop


def made(**changes: Any) -> list[dict[str, Any]]:
    parts: dict[str, Any] = {
        "host": "shop-lab.ada.localhost",
        "image": "localhost:5001/shop-lab:1.1.0",
        "replicas": 2,
        "settings": {"DRAIN_MS": "0"},
        **changes,
    }
    return list(yaml.safe_load_all(shop.manifest(**parts)))


def test_no_object_names_a_namespace_of_its_own() -> None:
    things = made()
    assert [thing["kind"] for thing in things] == ["Deployment", "Service", "HTTPRoute"]
    assert all("namespace" not in thing["metadata"] for thing in things)


def test_the_parts_stand_where_kubernetes_reads_them() -> None:
    deployment, _, route = made(
        strategy="rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }\n",
        spec="minReadySeconds: 3\n",
        container="readinessProbe:\n  httpGet: { path: /readyz, port: http }\n",
    )
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 1
    assert deployment["spec"]["minReadySeconds"] == 3
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert {"name": "DRAIN_MS", "value": "0"} in container["env"]
    assert route["spec"]["hostnames"] == ["shop-lab.ada.localhost"]


def test_a_shop_without_extras_is_valid_too() -> None:
    deployment = made()[0]
    assert "strategy" not in deployment["spec"]
    assert "readinessProbe" not in deployment["spec"]["template"]["spec"]["containers"][0]


def test_two_learners_have_two_host_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_URL", "http://orders.localhost:8099")
    urls = []
    for name in ("ada", "grace"):
        monkeypatch.setenv("COURSE_NAMESPACE", name)
        urls.append(Shop(Lab("rolling-1")).url)
    assert urls == [
        "http://shop-lab.ada.localhost:8099/",
        "http://shop-lab.grace.localhost:8099/",
    ]


@pytest.mark.parametrize(
    ("thing", "ours"),
    [
        ({"metadata": {"name": "shop-lab"}}, True),
        ({"metadata": {"name": "shop-lab-old"}}, True),
        ({"metadata": {"name": "mine", "labels": {"app": "shop-lab"}}}, True),
        ({"metadata": {"name": "mine"}, "spec": {"hostnames": ["shop-lab.ada.localhost"]}}, True),
        ({"metadata": {"name": "shop", "labels": {"app": "shop"}}, "spec": {}}, False),
        ({"metadata": {"name": "orders"}, "spec": {"hostnames": ["orders.localhost"]}}, False),
    ],
)
def test_a_start_state_takes_away_only_the_labs_own(
    thing: dict[str, Any], ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_NAMESPACE", "ada")
    assert Shop(Lab("rolling-1"))._ours(thing) is ours


def test_a_new_shop_waits_for_the_former_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Deployment that is being deleted takes with it what is applied under its name."""
    monkeypatch.setenv("COURSE_NAMESPACE", "ada")
    leaving = {
        "name": "shop-lab",
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": ["foregroundDeletion"],
    }
    seen = [[{"metadata": leaving}], [{"metadata": leaving}], [{"metadata": {"name": "other"}}]]
    monkeypatch.setattr(Lab, "objects", lambda *_: seen.pop(0))
    here = Shop(Lab("rolling-1"))
    here._await_end()
    assert seen == []
    monkeypatch.setattr(Lab, "objects", lambda *_: [{"metadata": leaving}])
    monkeypatch.setattr(shop, "_GONE_WAIT", 0.0)
    with pytest.raises(CourseError, match=r"still there; finalizers: foregroundDeletion"):
        here._await_end()


def test_what_is_saved_can_be_applied_again() -> None:
    kept = shop._bare(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "shop-lab",
                "uid": "1",
                "resourceVersion": "7",
                "labels": {"a": "b"},
            },
            "spec": {"replicas": 2},
            "status": {"replicas": 2},
        }
    )
    assert kept == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop-lab", "labels": {"a": "b"}},
        "spec": {"replicas": 2},
    }
