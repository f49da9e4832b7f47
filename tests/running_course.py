"""What the course runs on, as Docker and the API tell it: well, or with a fault."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from course.core import environment
from course.measure import health

GATEWAY = health.GATEWAY
LONG_AGO = 100_000.0


def at(seconds_ago: float) -> str:
    """A time as Kubernetes writes it."""
    moment = datetime.fromtimestamp(time.time() - seconds_ago, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    labels: Mapping[str, str],
    namespace: str = "kube-system",
    *,
    ready: float | None = LONG_AGO,
    ended: tuple[str, float] | None = None,
    waiting: str = "",
    restarts: int = 0,
) -> dict[str, Any]:
    """A pod as the API lists it.

    Args:
        labels: its labels.
        namespace: where it is.
        ready: seconds since it became ready; `None` if it is not.
        ended: why its container ended last, and how many seconds ago.
        waiting: why its container does not run.
        restarts: how often it was started again.
    """
    status: dict[str, Any] = {"restartCount": restarts, "state": {"running": {}}}
    if ended:
        status["lastState"] = {"terminated": {"reason": ended[0], "finishedAt": at(ended[1])}}
    if waiting:
        status["state"] = {"waiting": {"reason": waiting}}
    condition = {"type": "Ready", "status": "False" if ready is None else "True"}
    condition["lastTransitionTime"] = at(ready or 0)
    return {
        "metadata": {"name": "-".join(labels.values()), "namespace": namespace, "labels": labels},
        "status": {
            "phase": "Running",
            "conditions": [condition],
            "containerStatuses": [status],
        },
    }


def gateway(**how: Any) -> dict[str, Any]:
    return pod({"app": "traefik"}, "course-system", **how)


def dns(**how: Any) -> dict[str, Any]:
    return pod({"k8s-app": "kube-dns"}, **how)


CONTROL = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def system(*, but: Sequence[dict[str, Any]] = (), without: str = "") -> list[dict[str, Any]]:
    """All pods of a cluster that is well, some of them replaced or left out."""
    pods = [pod({"component": name}) for name in CONTROL]
    pods += [pod({"k8s-app": "kube-proxy"}), dns(), gateway()]
    pods += [pod({"app": name}, "course") for name in ("orders", "postgres")]
    named = {tuple(p["metadata"]["labels"].items()) for p in but}
    kept = [p for p in pods if tuple(p["metadata"]["labels"].items()) not in named]
    return [p for p in [*kept, *but] if without not in p["metadata"]["labels"].values()]


def state(started: float = LONG_AGO, **more: Any) -> dict[str, Any]:
    """A container's state as Docker tells it, to the nanosecond."""
    return {"Running": True, "StartedAt": at(started)[:-1] + ".123456789Z"} | more


@dataclass
class Said:
    """What Docker and the API say; an error is raised."""

    registry: dict[str, Any] | None = field(default_factory=state)
    node: dict[str, Any] | None = field(default_factory=state)
    listed: list[dict[str, Any]] | Exception = field(default_factory=system)
    docker: Exception | None = None

    def containers(self) -> dict[str, Any]:
        if self.docker:
            raise self.docker
        both = {"course-registry": self.registry, "course-control-plane": self.node}
        return {name: state for name, state in both.items() if state is not None}

    def pods(self) -> list[dict[str, Any]]:
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed


class Answers(http.server.BaseHTTPRequestHandler):
    """Somebody who speaks HTTP."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def running() -> Iterator[environment.Engine]:
    """A course that is up, its ports answered by a server of the test's own."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    port = server.server_port
    made = environment.Engine(
        "kind",
        {"DOCKER_HOST": "unix:///nowhere"},
        ["cgroups", "cluster", "containers", "orders"],
        {"registry": port, "http": port, "https": port},
    )
    environment.save(made)
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
