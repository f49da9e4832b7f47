"""The gateway on the real cluster: it refuses before it dies, and what has gone is put back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from course.artifacts import orders_image as artifacts_orders
from course.core import environment, manifest
from course.core.names import CLUSTER_NAME, SYSTEM_NAMESPACE
from course.engine import tasks, up
from course.engine.addons import orders, traefik
from course.exercises.kit import check
from course.exercises.kit import exercise as exercise_
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from course.learner import progress
from course.measure import health, traffic
from tests.shop import kubectl, namespace
from tests.until import until

COURSE = [sys.executable, "-m", "course.cli"]
SYSTEM = ("-n", SYSTEM_NAMESPACE)
BOUND = 1500
SLOW_MS = 6000


def gateway_pods() -> list[dict[str, Any]]:
    listed = kubectl(*SYSTEM, "get", "pods", "-l", "app=traefik", "-o", "json")
    return list(json.loads(listed)["items"])


def restarts() -> list[tuple[str, int]]:
    return [
        (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in gateway_pods()
    ]


def orders_answers() -> bool:
    engine = environment.current()
    assert engine is not None
    return orders.answers(engine.ports["http"])


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[str]:
    """The address of a service that takes six seconds for an answer."""
    with namespace(tmp_path) as name:
        env = {
            "FAULT_LATENCY_MS": str(SLOW_MS),
            "DATABASE_URL": "postgres://nobody@localhost/none",
            "READY_NEEDS_DATABASE": "false",
            "LOG_LEVEL": "warn",
        }
        container = {
            "name": "slow",
            "image": f"{environment.environment()['REGISTRY']}/orders:{artifacts_orders.VERSION}",
            "env": [{"name": key, "value": value} for key, value in env.items()],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 3000}, "periodSeconds": 1},
        }
        labels = {"app": "slow"}
        host = f"slow.{name}.localhost"
        spec = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        }
        parent = {"name": CLUSTER_NAME, "namespace": SYSTEM_NAMESPACE}
        rule = {"backendRefs": [{"name": "slow", "port": 80}]}
        route = {"parentRefs": [parent], "hostnames": [host], "rules": [rule]}
        ports = [{"port": 80, "targetPort": 3000}]
        things = [
            ("apps/v1", "Deployment", spec),
            ("v1", "Service", {"selector": labels, "ports": ports}),
            ("gateway.networking.k8s.io/v1", "HTTPRoute", route),
        ]
        text = yaml.safe_dump_all(
            {"apiVersion": api, "kind": kind, "metadata": {"name": "slow"}, "spec": spec}
            for api, kind, spec in things
        )
        kubectl("apply", "-f", "-", input=text)
        kubectl("rollout", "status", "deployment/slow", "--timeout=60s")
        engine = environment.current()
        assert engine is not None
        url = f"http://{host}:{engine.ports['http']}/"
        until(lambda: traffic.probe(f"{url}healthz") == 200, "the route", pause=0.2)
        yield url


def test_beyond_its_bound_the_gateway_refuses_at_once_and_lives(slow: str) -> None:
    before = restarts()
    # 400/s for six seconds each would be 2,400 in flight.
    with traffic.start(slow, rate=400, seconds=7, timeout=20) as run:
        time.sleep(5)
        assert orders_answers(), "another route has room of its own"
        summary = run.wait(60)
    assert set(summary.errors) == {"429"}, summary.errors
    assert summary.errors["429"] > 300
    assert summary.ok > BOUND * 0.9
    assert restarts() == before
    assert orders_answers()


@pytest.fixture
def none() -> Iterator[None]:
    """A gateway scaled to nothing, put back after."""
    kubectl(*SYSTEM, "scale", "deployment/traefik", "--replicas=0")
    until(lambda: not gateway_pods(), "the gateway's end", wait=40, pause=0.2)
    try:
        yield
    finally:
        if not up.complete():
            up.up(tasks.Display())


def course(*words: str) -> str:
    done = subprocess.run(
        [*COURSE, *words], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_a_gateway_without_a_pod_is_named_everywhere_and_put_back_by_up(
    none: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = f"{health.GATEWAY}: it has no pod"
    assert f"✗ {gone}" in course("status") and f"✗ {gone}" in course("doctor")
    facts = json.loads(course("status", "--json"))["now"]
    assert [part["name"] for part in facts if part["name"] == health.GATEWAY and not part["ok"]]
    load = course("load", environment.environment()["ORDERS_URL"], "--rate", "10", "--for", "1s")
    assert gone in load and "try:  course up" in load
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    exercise = next(
        e for part in manifest.load().lessons for e in part.exercises if "cluster" in e.needs
    )

    def blames_the_learner(lab: Lab) -> None:
        raise Wrong("lost", saw="502", want="200", try_="x")

    monkeypatch.setattr(exercise_, "find", lambda _: type("", (), {"check": blames_the_learner}))
    monkeypatch.setattr(progress, "state", lambda _: "started")
    monkeypatch.setattr(progress, "record", lambda *_, **__: None)
    for name, value in environment.environment().items():
        if name != "COURSE_WORK":
            monkeypatch.setenv(name, value)
    result = check.check(exercise.id)
    assert result.state == "could not judge" and "it has no pod" in result.saw, result
    assert "✓ orders answers" in course("up")
    assert orders_answers() and len(gateway_pods()) == 1


def test_the_manifest_bounds_what_the_test_loads() -> None:
    assert f"amount: {BOUND}" in traefik.ADDON.manifests[0].read_text()
