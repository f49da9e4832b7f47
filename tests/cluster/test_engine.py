"""The engine contract on the real engine, the cluster attached through pytest-kind."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from course import engines, paths, steps, up
from course.addons import orders
from course.engines import base
from course.run import runner

COURSE = [sys.executable, "-m", "course.cli"]


def orders_get(path: str) -> http.client.HTTPResponse:
    url = urlsplit(engines.environment()["ORDERS_URL"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=5)
    connection.request("GET", path, headers={"Host": url.netloc})
    return connection.getresponse()


def test_the_cluster_is_ours_and_every_system_pod_is_ready(kind_cluster: Any) -> None:
    assert kind_cluster.name == base.NAME
    version = json.loads(kind_cluster.kubectl("version", "-o", "json"))["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "36")
    pods = json.loads(kind_cluster.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    assert len(pods) >= 9
    unready = [
        pod["metadata"]["name"]
        for pod in pods
        if pod["status"]["phase"] == "Running"
        and not all(c["ready"] for c in pod["status"]["containerStatuses"])
    ]
    assert unready == []


def test_orders_answers_through_the_gateway_with_its_version() -> None:
    answer = orders_get("/")
    assert answer.status == 200
    assert answer.headers["x-orders-version"] == orders.VERSION
    assert json.load(answer) == {"service": "orders", "version": orders.VERSION}


def test_orders_keeps_an_order_in_postgresql() -> None:
    url = urlsplit(engines.environment()["ORDERS_URL"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=5)
    order = {"customer": "ada", "items": [{"sku": "tea", "quantity": 3, "price_cents": 250}]}
    headers = {"Host": url.netloc, "Content-Type": "application/json"}
    connection.request("POST", "/orders", json.dumps(order), headers)
    made = json.load(connection.getresponse())
    assert made["total_cents"] == 750
    assert json.load(orders_get(f"/orders/{made['id']}")) == made


def test_everything_listens_on_loopback_only() -> None:
    ours = set(engines.current().ports.values())  # type: ignore[union-attr]
    listening = [c.laddr for c in psutil.net_connections("tcp") if c.status == "LISTEN"]
    bound = {address.ip for address in listening if address and address.port in ours}
    assert bound == {"127.0.0.1"}


def test_the_learners_kubeconfig_is_not_touched() -> None:
    assert engines.environment()["KUBECONFIG"] == str(paths.kubeconfig())
    assert not paths.kubeconfig().is_relative_to(Path.home() / ".kube")
    assert paths.kubeconfig().stat().st_mode & 0o077 == 0


def test_up_again_changes_nothing() -> None:
    def containers() -> str:
        return runner().run(["docker", "ps", "--all", "--no-trunc", "--quiet"], timeout=30).stdout

    before = containers(), paths.kubeconfig().read_bytes(), engines.current()
    done = subprocess.run([*COURSE, "up"], capture_output=True, text=True, check=True, timeout=60)
    assert "everything runs" in done.stdout
    assert (containers(), paths.kubeconfig().read_bytes(), engines.current()) == before


def test_up_heals_what_is_missing() -> None:
    kubectl = ["kubectl", "--kubeconfig", str(paths.kubeconfig())]
    runner().run([*kubectl, "delete", "httproute", "orders"], timeout=60)
    deadline = time.monotonic() + 10
    while up.complete():
        assert time.monotonic() < deadline, "the gateway still serves a route that is gone"
        time.sleep(0.2)
    up.up(steps.Display())
    assert up.complete()


def test_status_is_the_same_for_people_and_machines() -> None:
    text = subprocess.run([*COURSE, "status"], capture_output=True, text=True, check=True).stdout
    facts = json.loads(
        subprocess.run(
            [*COURSE, "status", "--json"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert (
        facts["has"] == ["cgroups", "cluster", "containers", "orders"]
        or "network-policy" in (facts["has"])
    )
    for step in facts["steps"]:
        assert step["title"] in text


@pytest.fixture
def database() -> Any:
    """A PostgreSQL of our own image, for the service's own integration tests."""
    using = runner()
    made = using.run(
        ["docker", "run", "--detach", "--rm", "--label", "course.owner=course"]
        + ["--env", "POSTGRES_PASSWORD=throw-away", "--publish", "127.0.0.1::5432", "postgres:15"],
        timeout=60,
    ).stdout.strip()
    try:
        port = using.run(["docker", "port", made, "5432/tcp"], timeout=30).stdout.split(":")[-1]
        ready = ["docker", "exec", made, "pg_isready", "--host=127.0.0.1", "--quiet"]
        deadline = time.monotonic() + 60
        while using.run(ready, timeout=30, check=False).code != 0:
            assert time.monotonic() < deadline, "PostgreSQL is not ready after 60 s"
            time.sleep(0.3)
        yield f"postgres://postgres:throw-away@127.0.0.1:{port.strip()}/postgres"
    finally:
        using.run(["docker", "rm", "--force", made], timeout=60)


def test_the_integration_tests_of_orders_pass_on_a_real_postgresql(database: str) -> None:
    done = runner().run(
        ["npm", "run", "--silent", "test:integration"],
        timeout=120,
        cwd=orders.SOURCE,
        env={"DATABASE_URL": database},
    )
    assert "fail 0" in done.stdout
    assert "pass 8" in done.stdout
