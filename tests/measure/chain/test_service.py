"""course.measure.chain.service: its selector and its ports."""

from __future__ import annotations

import pytest

from tests.measure.chain import apps


@pytest.mark.parametrize("app", apps.of("service"), ids=str)
def test_a_break_is_named_with_object_field_and_proof(app: apps.App) -> None:
    app.assert_said(apps.said_of(app))


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "ExternalName", "externalName": "db.example.com", "selector": {"app": "none"}},
        {"selector": None},
        {"clusterIP": "None"},
    ],
    ids=["of another name", "with endpoints of its own", "headless"],
)
def test_a_service_that_is_meant_to_be_so_is_left_alone(spec: dict[str, object]) -> None:
    meant = apps.app()
    meant.things["Service", "shop"]["spec"].update(spec)
    assert apps.said_of(meant) is None


def test_a_process_without_a_probe_is_given_time_to_listen() -> None:
    new = apps.app("service/nothing-listens")
    for name in ("2lq8x", "9wz4c"):
        pod = new.things["Pod", f"shop-6c9f7d5b84-{name}"]
        pod["status"]["startTime"] = "2026-11-27T11:59:55Z"
    assert apps.said_of(new) is None


def test_a_named_port_counts_whatever_the_containers_are_called() -> None:
    app = apps.app("service/port-name")
    for name in ("2lq8x", "9wz4c"):
        spec = app.things["Pod", f"shop-6c9f7d5b84-{name}"]["spec"]
        spec["containers"].append({"name": "proxy", "ports": [{"name": "web", "containerPort": 1}]})
    assert apps.said_of(app) is None


def test_pods_of_another_namespace_that_would_be_selected_are_named() -> None:
    app = apps.app("service/typo")
    app.things["Service", "shop"]["spec"]["selector"] = {"app": "traefik"}
    found = apps.said_of(app)
    assert found and found.seen.endswith("; pods of namespace course-system have it")
