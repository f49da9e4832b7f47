"""Deployments of the shop, as learners leave them."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from course.exercises.kit import shop

READY = {"httpGet": {"path": "/readyz", "port": "http"}}
Object = dict[str, Any]


def deployment(**container: Any) -> Object:
    """A careful shop, with changes of its container; `None` takes a field away."""
    text = shop.manifest(
        host="shop-lab.ada.localhost",
        image="r/shop-lab:1.1.0",
        replicas=2,
        settings={"FAULT_START_MS": "2000", "DRAIN_MS": "10000"},
        strategy="type: RollingUpdate\nrollingUpdate: { maxUnavailable: 0, maxSurge: 1 }\n",
    )
    made: Object = next(iter(yaml.safe_load_all(text)))
    found = made["spec"]["template"]["spec"]["containers"][0]
    env = container.pop("env", {})
    found["env"] = [e for e in found["env"] if e["name"] not in env]
    found["env"] += [{"name": k, "value": v} for k, v in env.items()]
    found |= {"readinessProbe": READY, "lifecycle": {"preStop": {"sleep": {"seconds": 4}}}}
    found |= container
    for name in [key for key, value in found.items() if value is None]:
        del found[name]
    return made


MESH = {
    "name": "mesh",
    "image": "r/mesh:9",
    "readinessProbe": {"tcpSocket": {"port": 9}},
    "env": [{"name": "DRAIN_MS", "value": "1"}],
}


def beside(made: Object, *, renamed: str = "", native: bool = False) -> Object:
    """A sidecar patched in front of the shop, whose container may have another name."""
    spec = made["spec"]["template"]["spec"]
    if renamed:
        spec["containers"][0]["name"] = renamed
    if native:
        spec["initContainers"] = [{**MESH, "restartPolicy": "Always", "name": "shop"}]
    else:
        spec["containers"].insert(0, copy.deepcopy(MESH))
    return made
