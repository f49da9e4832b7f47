"""The engine contract on the real engine, the cluster attached through pytest-kind."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from course.artifacts import orders_image
from course.core import environment, paths, waiting
from course.core.names import (
    CGROUPS,
    CLUSTER,
    CLUSTER_NAME,
    CONTAINERS,
    NETWORK_POLICY,
    ORDERS,
    SYSTEM_NAMESPACE,
)
from course.core.process import Completed, default_runner
from course.engine import tasks, up
from tests.until import until

COURSE = [sys.executable, "-m", "course.cli"]


def orders_get(path: str) -> http.client.HTTPResponse:
    url = urlsplit(environment.environment()["ORDERS_URL"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=5)
    connection.request("GET", path, headers={"Host": url.netloc})
    return connection.getresponse()


SYSTEM = ("kube-system", "local-path-storage", SYSTEM_NAMESPACE)


def test_the_cluster_is_ours_and_every_system_pod_is_ready(kind_cluster: Any) -> None:
    assert kind_cluster.name == CLUSTER_NAME
    version = json.loads(kind_cluster.kubectl("version", "-o", "json"))["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "36")
    pods = json.loads(kind_cluster.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    assert len(pods) >= 9
    unready = [
        pod["metadata"]["name"]
        for pod in pods
        if pod["metadata"]["namespace"] in SYSTEM
        and pod["status"]["phase"] == "Running"
        and not all(c["ready"] for c in pod["status"]["containerStatuses"])
    ]
    assert unready == []


def test_orders_answers_through_the_gateway_with_its_version() -> None:
    answer = orders_get("/")
    assert answer.status == 200
    assert answer.headers["x-orders-version"] == orders_image.VERSION
    assert json.load(answer) == {"service": "orders", "version": orders_image.VERSION}


def test_orders_keeps_an_order_in_postgresql() -> None:
    url = urlsplit(environment.environment()["ORDERS_URL"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=5)
    order = {"customer": "ada", "items": [{"sku": "tea", "quantity": 3, "price_cents": 250}]}
    headers = {"Host": url.netloc, "Content-Type": "application/json"}
    connection.request("POST", "/orders", json.dumps(order), headers)
    made = json.load(connection.getresponse())
    assert made["total_cents"] == 750
    assert json.load(orders_get(f"/orders/{made['id']}")) == made


def test_everything_listens_on_loopback_only() -> None:
    ours = set(environment.current().ports.values())  # type: ignore[union-attr]
    listening = [c.laddr for c in psutil.net_connections("tcp") if c.status == "LISTEN"]
    bound = {address.ip for address in listening if address and address.port in ours}
    assert bound == {"127.0.0.1"}


def test_every_port_that_docker_publishes_for_the_course_is_on_loopback() -> None:
    argv = ["docker", "ps", "--filter", "name=^course-", "--format", "{{.Names}} {{.Ports}}"]
    lines = default_runner().run(argv, timeout=30).stdout.splitlines()
    assert {line.split()[0] for line in lines} >= {"course-control-plane", "course-registry"}
    published = [word for line in lines for word in line.split() if "->" in word]
    # The registry, the API server, the gateway twice.
    assert len(published) >= 4
    assert [word for word in published if not word.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("path", ["/dashboard/", "/api/rawdata", "/api/version", "/metrics"])
def test_the_gateway_tells_nothing_of_itself(path: str) -> None:
    port = environment.current().ports["http"]  # type: ignore[union-attr]
    for host in ("localhost", "traefik.localhost", "127.0.0.1"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        assert connection.getresponse().status == 404


def test_the_learners_kubeconfig_is_not_touched() -> None:
    assert environment.environment()["KUBECONFIG"] == str(paths.kubeconfig())
    assert not paths.kubeconfig().is_relative_to(Path.home() / ".kube")
    assert paths.kubeconfig().stat().st_mode & 0o077 == 0


def test_up_again_changes_nothing() -> None:
    def containers() -> str:
        return (
            default_runner()
            .run(["docker", "ps", "--all", "--no-trunc", "--quiet"], timeout=30)
            .stdout
        )

    before = containers(), paths.kubeconfig().read_bytes(), environment.current()
    done = subprocess.run([*COURSE, "up"], capture_output=True, text=True, check=True, timeout=60)
    assert "everything runs" in done.stdout
    assert (containers(), paths.kubeconfig().read_bytes(), environment.current()) == before


def test_up_heals_what_is_missing() -> None:
    kubectl = ["kubectl", "--kubeconfig", str(paths.kubeconfig())]
    default_runner().run([*kubectl, "delete", "httproute", "orders"], timeout=60)
    until(lambda: not up.complete(), "the gateway to drop a route that is gone", wait=10)
    up.up(tasks.Display())
    assert up.complete()


def test_status_is_the_same_for_people_and_machines() -> None:
    text = subprocess.run([*COURSE, "status"], capture_output=True, text=True, check=True).stdout
    facts = json.loads(
        subprocess.run(
            [*COURSE, "status", "--json"], capture_output=True, text=True, check=True
        ).stdout
    )
    assert set(facts["has"]) - {NETWORK_POLICY} == {
        CGROUPS,
        CLUSTER,
        CONTAINERS,
        ORDERS,
    }
    for step in facts["steps"]:
        assert step["title"] in text


_POLICED = """
apiVersion: v1
kind: Namespace
metadata: { name: course-policy-test, labels: { course.owner: course } }
---
apiVersion: v1
kind: Pod
metadata: { name: server, namespace: course-policy-test, labels: { app: server } }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: node
      image: IMAGE
      command: [node, -e, "require('http').createServer((_, r) => r.end('x')).listen(8080)"]
---
apiVersion: v1
kind: Pod
metadata: { name: client, namespace: course-policy-test }
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - { name: node, image: IMAGE, command: [node, -e, "setTimeout(() => {}, 3e5)"] }
"""
_DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: deny, namespace: course-policy-test }
spec:
  podSelector: { matchLabels: { app: server } }
  policyTypes: [Ingress]
"""
_ASK = (
    "require('net').connect(PORT, 'HOST').setTimeout(2000, () => process.exit(3))"
    ".on('connect', () => process.exit(0)).on('error', () => process.exit(3))"
)


def kubectl(*argv: str, text: str | None = None, check: bool = True) -> Completed:
    words = ["kubectl", "--kubeconfig", paths.kubeconfig(), "--namespace", "course-policy-test"]
    return default_runner().run([*words, *argv], timeout=120, input=text, check=check)


@pytest.fixture
def connects() -> Iterator[Callable[[int], bool]]:
    """Whether one pod reaches a port of another, in a namespace that is made for it."""
    image = f"{environment.environment()['REGISTRY']}/orders:{orders_image.VERSION}"
    try:
        kubectl("apply", "-f", "-", text=_POLICED.replace("IMAGE", image))
        kubectl("wait", "pod/server", "pod/client", "--for=condition=Ready", "--timeout=90s")
        host = kubectl("get", "pod", "server", "-o", "jsonpath={.status.podIP}").stdout

        def ask(port: int) -> bool:
            program = _ASK.replace("PORT", str(port)).replace("HOST", host)
            code = kubectl("exec", "client", "--", "node", "-e", program, check=False).code
            assert code in (0, 3)
            return code == 0

        yield ask
    finally:
        kubectl("delete", "namespace", "course-policy-test", "--wait=false", check=False)


def test_the_engine_says_that_it_enforces_policies_if_and_only_if_it_does(
    connects: Callable[[int], bool],
) -> None:
    # Ready says that it runs, not that it listens.
    until(lambda: connects(8080), "a connection without a policy")
    assert not connects(8081), "a connection to where nobody listens"
    kubectl("apply", "-f", "-", text=_DENY)
    open_ = not waiting.eventually(lambda: not connects(8080), wait=15, pause=0.5)
    assert environment.has(NETWORK_POLICY) is not open_
    kubectl("delete", "networkpolicy", "deny")
    until(lambda: connects(8080), "a connection after the policy", wait=15)


@pytest.fixture
def database() -> Any:
    """A PostgreSQL of our own image, for the service's own integration tests."""
    runner = default_runner()
    made = runner.run(
        ["docker", "run", "--detach", "--rm", "--label", "course.owner=course"]
        + ["--env", "POSTGRES_PASSWORD=throw-away", "--publish", "127.0.0.1::5432", "postgres:15"],
        timeout=60,
    ).stdout.strip()
    try:
        port = runner.run(["docker", "port", made, "5432/tcp"], timeout=30).stdout.split(":")[-1]
        ready = ["docker", "exec", made, "pg_isready", "--host=127.0.0.1", "--quiet"]
        until(
            lambda: runner.run(ready, timeout=30, check=False).code == 0,
            "PostgreSQL",
            wait=60,
            pause=0.3,
        )
        yield f"postgres://postgres:throw-away@127.0.0.1:{port.strip()}/postgres"
    finally:
        runner.run(["docker", "rm", "--force", made], timeout=60)


def test_the_integration_tests_of_orders_pass_on_a_real_postgresql(database: str) -> None:
    done = default_runner().run(
        ["npm", "run", "--silent", "test:integration"],
        timeout=120,
        cwd=orders_image.SOURCE,
        env={"DATABASE_URL": database},
    )
    assert "fail 0" in done.stdout
    assert "pass 8" in done.stdout
