"""The sample service: built as a real image, pushed, and running behind the gateway."""

from __future__ import annotations

import http.client

from course.artifacts import docker_build, images
from course.artifacts.orders_image import SOURCE, VERSION, archive, fingerprint
from course.core import waiting
from course.core.errors import CourseError
from course.core.report import Report
from course.engine.addons.addon import Addon, mirrored, pinned
from course.engine.base import Cluster

_NAME = f"orders:{VERSION}"
_DATABASE = "postgres:15"
_ANSWER_WAIT = 90.0
"""After a restart of the node its pods count as ready until the kubelet has looked again."""


def _prepare(cluster: Cluster, report: Report) -> dict[str, str]:
    image = f"{cluster.registry.address}/{_NAME}"
    for ref in (_DATABASE, "node:24-slim"):
        images.ensure(ref, report, runner=cluster.runner)
    report("PostgreSQL's image to the registry", None)
    database = mirrored(_DATABASE, cluster)
    if archive().exists():
        images.load(archive(), image, report, cluster.runner)
    else:
        docker_build.build(SOURCE, image, report, cluster.runner, args={"VERSION": VERSION})
    report("pushing orders", None)
    cluster.runner.run(["docker", "push", "--quiet", image], timeout=300)
    return {_DATABASE: database, f"localhost:5001/{_NAME}": pinned(image, _NAME, cluster)}


def _answers(cluster: Cluster) -> None:
    """Return when it answers at `$ORDERS_URL`.

    Raises:
        CourseError: it does not in time.
    """
    port = cluster.http_port
    if not waiting.eventually(lambda: answers(port), wait=_ANSWER_WAIT, pause=0.3):
        raise CourseError(
            f"orders runs but does not answer at http://orders.localhost:{port}",
            f"an answer through the gateway within {_ANSWER_WAIT:.0f} s",
            "kubectl describe httproute orders; kubectl -n course-system logs deploy/traefik",
        )


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


ADDON = Addon(
    "orders",
    # PostgreSQL first: orders migrates its schema as it starts.
    manifests=tuple(SOURCE / "k8s" / f"{name}.yaml" for name in ("postgres", "orders", "route")),
    deployments=("postgres", "orders"),
    made_from=lambda: (VERSION, fingerprint(), images.key(_DATABASE)),
    prepare=_prepare,
    answers=_answers,
)
