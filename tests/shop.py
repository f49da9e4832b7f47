"""A small Deployment of the tests' own, in a namespace of its own: made, and removed after."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from course.artifacts import orders_image
from course.core import environment
from course.core.process import default_runner
from course.measure.rollout import Rollout
from tests.until import until

WAIT = 120.0
# It is ready as soon as it listens, and ends at once when it is asked to.
SERVER = (
    "const version = process.env.ORDERS_VERSION;"
    "require('http').createServer((question, answer) => {"
    " answer.setHeader('x-orders-version', version); answer.end(version) }).listen(3000);"
    "process.on('SIGTERM', () => setTimeout(process.exit, %d))"
)


def kubectl(*words: str, input: str | None = None) -> str:
    """The output of kubectl, in the namespace of `KUBECONFIG`."""
    given = {k: os.environ[k] for k in ("KUBECONFIG",) if k in os.environ}
    env = environment.environment() | given
    return default_runner().run(["kubectl", *words], timeout=60, env=env, input=input).stdout


@contextlib.contextmanager
def images() -> Iterator[str]:
    """A repository of the registry with two versions, 1.0.0 and 1.1.0."""
    env = environment.environment()
    made, repository = (
        f"{env['REGISTRY']}/orders:{orders_image.VERSION}",
        f"{env['REGISTRY']}/test-shop",
    )
    tags = [f"{repository}:{version}" for version in ("1.0.0", "1.1.0")]
    for tag in tags:
        text = f"FROM {made}\nENV ORDERS_VERSION={tag.rsplit(':', 1)[1]}\n"
        build = ["docker", "build", "--quiet", "--tag", tag, "-"]
        default_runner().run(build, timeout=120, env=env, input=text)
        default_runner().run(["docker", "push", "--quiet", tag], timeout=120, env=env)
    try:
        yield repository
    finally:
        default_runner().run(["docker", "rmi", *tags], timeout=60, env=env, check=False)


@contextlib.contextmanager
def namespace(folder: Path) -> Iterator[str]:
    """A namespace, and for that time a `KUBECONFIG` whose context is in it.

    Args:
        folder: where the file is written.
    """
    name = f"test-shop-{secrets.token_hex(4)}"  # the last one's may still be going
    source = environment.environment()["KUBECONFIG"]
    kubectl("create", "namespace", name)
    config = yaml.safe_load(Path(source).read_text())
    config["contexts"][0]["context"]["namespace"] = name
    file = folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(yaml.safe_dump(config))
    before = os.environ.get("KUBECONFIG")
    os.environ["KUBECONFIG"] = str(file)
    try:
        yield name
    finally:
        if before is None:
            del os.environ["KUBECONFIG"]
        else:
            os.environ["KUBECONFIG"] = before
        kubectl("delete", "namespace", name, "--wait=false")


@contextlib.contextmanager
def deployed(repository: str, *, replicas: int = 2, drain_ms: int = 0) -> Iterator[Rollout]:
    """A Deployment named shop, complete at version 1.0.0, with its Service.

    Args:
        repository: of its images.
        replicas: how many pods.
        drain_ms: how long a pod answers after it has been asked to end.
    """
    # A machine that is busy with other tests may take seconds for an answer.
    probe = {"httpGet": {"path": "/", "port": 3000}, "periodSeconds": 1, "timeoutSeconds": 10}
    container = {
        "name": "shop",
        "image": f"{repository}:1.0.0",
        "command": ["node", "-e", SERVER % drain_ms],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
    }
    spec: dict[str, Any] = {
        "replicas": replicas,
        "progressDeadlineSeconds": int(WAIT),
        "selector": {"matchLabels": {"app": "shop"}},
        "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {"terminationGracePeriodSeconds": 10, "containers": [container]},
        },
    }
    _apply("apps/v1", "Deployment", spec)
    _apply("v1", "Service", {"selector": {"app": "shop"}, "ports": [{"port": 3000}]})
    try:
        made = Rollout("shop")
        until(lambda: made.status().state == "complete", "the shop", wait=WAIT, pause=0.2)
        yield made
    finally:
        kubectl("delete", "deployment/shop", "service/shop", "--ignore-not-found", "--wait=true")


def route(host: str) -> str:
    """Lead the gateway's traffic for a host to shop; returns its address."""
    spec = {
        "parentRefs": [{"name": "course", "namespace": "course-system"}],
        "hostnames": [host],
        "rules": [{"backendRefs": [{"name": "shop", "port": 3000}]}],
    }
    _apply("gateway.networking.k8s.io/v1", "HTTPRoute", spec)
    port = urlsplit(environment.environment()["ORDERS_URL"]).port
    return f"http://{host}:{port}/"


def _apply(version: str, kind: str, spec: dict[str, Any]) -> None:
    thing = {"apiVersion": version, "kind": kind, "metadata": {"name": "shop"}, "spec": spec}
    kubectl("apply", "-f", "-", input=yaml.safe_dump(thing))
