"""A Deployment, its ReplicaSets and pods as an API sends them, for tests without a cluster."""

from __future__ import annotations

import copy
from typing import Any

from course.measure.rollout import status as reading

MADE = "2026-01-01T00:00:00Z"
Object = dict[str, Any]


def template(image: str, **env: str) -> Object:
    variables = [{"name": key, "value": value} for key, value in env.items()]
    return {
        "metadata": {"labels": {"app": "shop"}},
        "spec": {
            "containers": [{"name": "shop", "image": image, "env": variables}],
            "initContainers": [{"name": "migrate", "image": image}],
        },
    }


def deployment(image: str = "r/orders:1.0.0", *, revision: int = 1, **spec: Any) -> Object:
    return {
        "metadata": {
            "name": "shop",
            "uid": "d",
            "generation": 1,
            "annotations": {reading.REVISION: str(revision)},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": template(image),
            **spec,
        },
        "status": {
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
        },
    }


def replicaset(revision: int, image: str, owner: str = "d") -> Object:
    made = copy.deepcopy(template(image))
    made["metadata"]["labels"][reading.HASH] = f"h{revision}"
    return {
        "metadata": {
            "name": f"shop-h{revision}",
            "uid": f"s{revision}",
            "annotations": {reading.REVISION: str(revision), "kubernetes.io/change-cause": "why"},
            "ownerReferences": [{"uid": owner, "controller": True}],
        },
        "spec": {"template": made},
        "status": {"replicas": 2},
    }


def pod(name: str, revision: int = 1, image: str = "r/orders:1.0.0", **more: Any) -> Object:
    ready = more.pop("ready", True)
    waiting = more.pop("waiting", None)
    state: Object = {"waiting": waiting} if waiting else {"running": {}}
    return {
        "metadata": {
            "name": name,
            "creationTimestamp": MADE,
            "ownerReferences": [{"uid": f"s{revision}", "controller": True}],
            **more,
        },
        "spec": template(image)["spec"],
        "status": {
            "phase": "Pending" if waiting else "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "containerStatuses": [{"restartCount": 1, "state": state}],
        },
    }
