"""course.measure.rollout.containers: which container is the service."""

from __future__ import annotations

import pytest

from course.measure.rollout import containers
from course.measure.rollout import status as reading
from tests.deployments import Object

MESH: Object = {
    "name": "mesh",
    "image": "r/mesh:9",
    "env": [{"name": "ORDERS_VERSION", "value": "9"}],
}
PORTS: Object = {"ports": [{"name": "http", "containerPort": 3000}]}


def with_containers(*own: Object, first: tuple[Object, ...] = (), chosen: str = "") -> Object:
    return {
        "metadata": {"annotations": {"kubectl.kubernetes.io/default-container": chosen}},
        "spec": {
            "containers": list(own),
            "initContainers": list(first),
            "ephemeralContainers": [{"name": "shop", "image": "r/debug:7"}],
        },
    }


SHOP: Object = {"name": "shop", "image": "r/orders:1.1.0"}
WEB: Object = {"name": "web", "image": "r/orders:1.1.0"}
SIDECAR = {"restartPolicy": "Always"}
VERSION = [{"name": "ORDERS_VERSION", "value": "1.1.0"}]


@pytest.mark.parametrize(
    "thing",
    [
        with_containers(MESH, SHOP),
        with_containers(MESH, SHOP, chosen="mesh"),
        with_containers({**MESH, **PORTS}, {**SHOP, **PORTS}),  # two with the same port
        with_containers(MESH, {**WEB, **PORTS}),  # renamed
        with_containers(MESH, {**WEB, **PORTS}, first=({**MESH, "name": "shop"},)),
        with_containers({**WEB, **PORTS}, first=({**MESH, **SIDECAR, "name": "shop"},)),
        with_containers(MESH, first=({**SHOP, **SIDECAR},)),  # the service is a native sidecar
        with_containers(MESH, WEB, chosen="web"),
        with_containers(MESH, {**WEB, "ports": [{"containerPort": 3000}]}),
        with_containers({**MESH, "env": []}, {**WEB, "env": VERSION}),
        with_containers(WEB),
    ],
)  # fmt: skip
def test_the_service_is_found_by_its_name_and_not_by_its_place(thing: Object) -> None:
    assert reading.version(thing) == "1.1.0"
    assert containers.service(thing)["image"] == "r/orders:1.1.0"


def test_the_state_of_the_service_is_its_own_wherever_the_kubelet_puts_it() -> None:
    thing = with_containers(SHOP, {"name": "cache", "image": "r/cache"})
    states = [{"name": "cache", "imageID": "c"}, {"name": "shop", "imageID": "s"}]
    assert containers.state({**thing, "status": {"containerStatuses": states}})["imageID"] == "s"
    assert containers.state(thing) == {}
