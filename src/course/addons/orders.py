"""The sample service: built as a real image, pushed, and running behind the gateway."""

from __future__ import annotations

import functools
import hashlib
import http.client
import time
from pathlib import Path

from course import images, paths
from course.engines.kind import Kind
from course.errors import CourseError
from course.steps import Report

SOURCE = paths.ROOT / "apps" / "orders"
VERSION = "1.0.0"
_WAIT = 180.0


def install(cluster: Kind, report: Report) -> None:
    """Build, push and deploy it, and wait until it answers at `$ORDERS_URL`.

    Args:
        cluster: where to.
        report: told what is being done.

    Raises:
        CourseError: it does not answer in time.
    """
    if answers(cluster.http_port):
        return
    image = f"{cluster.registry.address}/orders:{VERSION}"
    images.ensure("postgres:15", report, using=cluster.using)
    images.ensure("node:24-slim", report, using=cluster.using)
    report("PostgreSQL's image to the registry", None)
    cluster.registry.mirror("postgres:15")
    if archive().exists():
        images.load(archive(), image, report, cluster.using)
    else:
        images.build(SOURCE, image, report, cluster.using, args={"VERSION": VERSION})
    report("pushing orders", None)
    cluster.using.run(["docker", "push", "--quiet", image], timeout=300)
    # Postgres first: orders migrates its schema as it starts.
    for name in ("postgres", "orders", "route"):
        text = (SOURCE / "k8s" / f"{name}.yaml").read_text()
        cluster.apply(text.replace("localhost:5001", cluster.registry.address))
    report("waiting for PostgreSQL and orders", None)
    for name in ("postgres", "orders"):
        cluster.kubectl(
            "rollout", "status", f"deployment/{name}", f"--timeout={_WAIT:.0f}s", wait=_WAIT + 10
        )
    deadline = time.monotonic() + 30
    while not answers(cluster.http_port):
        if time.monotonic() > deadline:
            raise CourseError(
                f"orders runs but does not answer at http://orders.localhost:{cluster.http_port}",
                "an answer through the gateway within 30 s",
                "kubectl describe httproute orders; kubectl -n course-system logs deploy/traefik",
            )
        time.sleep(0.3)


def archive() -> Path:
    """Where a bundle's copy of its image lies; another source has another name."""
    return paths.cache() / "images" / f"orders_{VERSION}-{fingerprint()}.tar"


@functools.cache
def fingerprint(source: Path = SOURCE) -> str:
    """A short hash over everything that its image is made from."""
    sha = hashlib.sha256(images.key("node:24-slim").encode())
    for pattern in ("Dockerfile", "*.json", ".npmrc", "src/**/*", "migrations/**/*"):
        for file in sorted(source.glob(pattern)):
            if file.is_file():
                sha.update(file.relative_to(source).as_posix().encode() + b"\0")
                sha.update(file.read_bytes())
    return sha.hexdigest()[:16]


def remove(cluster: Kind) -> None:
    """Remove it and its database."""
    for name in ("route", "orders", "postgres"):
        file = str(SOURCE / "k8s" / f"{name}.yaml")
        cluster.kubectl("delete", "--ignore-not-found", "-f", file, check=False)


def answers(port: int) -> bool:
    """Whether the service answers through the gateway.

    `*.localhost` is dialled as 127.0.0.1: many resolvers do not know the name.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/readyz", headers={"Host": f"orders.localhost:{port}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    except http.client.HTTPException:
        return False
    finally:
        connection.close()
