"""A Deployment with its controller, in memory, for tests without a cluster.

It follows pkg/controller/deployment of Kubernetes 1.36: how revisions are numbered, what becomes of
a number when a template comes back, and which ReplicaSets a history keeps.
"""

from __future__ import annotations

import copy
import json
import queue
from collections.abc import Iterator
from typing import Any

from course.measure.kube_api import ApiError
from course.measure.rollout import status as reading

HISTORY = "deployment.kubernetes.io/revision-history"
Object = dict[str, Any]


class Events:
    """A watch."""

    def __init__(self) -> None:
        self.queue: queue.Queue[Object | None] = queue.Queue()

    def __iter__(self) -> Iterator[Object]:
        while (event := self.queue.get(timeout=20)) is not None:
            yield event

    def close(self) -> None:
        """End it."""
        self.queue.put(None)


class Controlled:
    """An API with one Deployment, whose releases are over as soon as they are asked for.

    Args:
        deployment: as it is applied.
        stuck: a word in the environment of a template whose pods do not become ready.
    """

    namespace = "ada"

    def __init__(self, deployment: Object, stuck: str = "") -> None:
        made = copy.deepcopy(deployment)
        made["metadata"] |= {"uid": "d", "generation": 1, "annotations": {}}
        made["spec"].setdefault("revisionHistoryLimit", 10)
        self.name, self._stuck = made["metadata"]["name"], stuck
        self.things: dict[str, dict[str, Object]] = {
            "deployments": {self.name: made},
            "replicasets": {},
            "pods": {},
        }
        self.watches: dict[str, list[Events]] = {kind: [] for kind in self.things}
        self.log: list[str] = []
        self._reconcile()

    # -- the API

    def get(self, kind: str, name: str) -> Object:
        """See `Api`."""
        if name not in self.things[kind]:
            raise ApiError(404, f"{kind} {name} not found")
        return copy.deepcopy(self.things[kind][name])

    def select(self, kind: str, query: dict[str, str]) -> Object:
        """See `Api`."""
        items = copy.deepcopy(list(self.things[kind].values()))
        return {"items": items, "metadata": {"resourceVersion": "1"}}

    def watch(self, kind: str, query: dict[str, str], since: str, seconds: float) -> Events:
        """See `Api`."""
        made = Events()
        self.watches[kind].append(made)
        return made

    def patch(self, kind: str, name: str, body: Any) -> Object:
        """See `Api`."""
        thing = self.things[kind][name]
        self.log.append(f"patch {kind}")
        if isinstance(body, list):
            for operation in body:
                *path, last = operation["path"].strip("/").split("/")
                at = thing
                for step in path:
                    at = at[step]
                at[last] = copy.deepcopy(operation["value"])
        else:
            _merge(thing, body)
        if kind == "deployments":
            thing["metadata"]["generation"] += 1
        self._reconcile()
        self._send(kind, thing)
        return thing

    def delete(self, kind: str, name: str) -> Object:
        """Remove an object."""
        self.log.append(f"delete {kind} {name}")
        thing = self.things[kind].pop(name)
        self._send(kind, thing, "DELETED")
        self._reconcile()
        return thing

    # -- the controller

    @property
    def deployment(self) -> Object:
        """The Deployment as it is now."""
        return self.things["deployments"][self.name]

    def revisions(self) -> dict[str, tuple[int, str]]:
        """ReplicaSet → its revision and the revisions that it had before."""
        return {
            name: (reading.number(one), one["metadata"]["annotations"].get(HISTORY, ""))
            for name, one in self.things["replicasets"].items()
        }

    def undo(self) -> str:
        """Go back to the revision before, and return its ReplicaSet."""
        before = sorted(self.things["replicasets"].values(), key=reading.number)[-2]
        template = copy.deepcopy(before["spec"]["template"])
        self.patch(
            "deployments", self.name, [{"op": "r", "path": "/spec/template", "value": template}]
        )
        return str(before["metadata"]["name"])

    def _reconcile(self) -> None:
        spec, sets = self.deployment["spec"], self.things["replicasets"]
        name = f"{self.name}-{abs(hash(json.dumps(spec['template'], sort_keys=True))) % 10**8}"
        highest = max((reading.number(s) for n, s in sets.items() if n != name), default=0)
        new = sets.get(name)
        if new is None:
            owner = {"uid": "d", "controller": True, "kind": "Deployment", "name": self.name}
            meta: Object = {"name": name, "uid": f"u-{name}", "ownerReferences": [owner]}
            meta |= {"annotations": {reading.REVISION: str(highest + 1)}}
            new = {"metadata": meta, "spec": {"template": copy.deepcopy(spec["template"])}}
            sets[name] = new
        notes, former = new["metadata"]["annotations"], reading.number(new)
        if former < highest + 1:
            kept = [*filter(None, notes.get(HISTORY, "").split(",")), str(former)]
            notes |= {reading.REVISION: str(highest + 1), HISTORY: ",".join(kept)}
        self.deployment["metadata"]["annotations"][reading.REVISION] = notes[reading.REVISION]
        stuck = bool(self._stuck) and self._stuck in json.dumps(spec["template"])
        for one in sets.values():
            if one is new or not stuck:
                many = spec["replicas"] if one is new else 0
                one["spec"]["replicas"], one["status"] = many, {"replicas": many}
        self._make_pods(stuck)
        old = [n for n, s in sets.items() if s is not new and not s["spec"]["replicas"]]
        old.sort(key=lambda n: reading.number(sets[n]))
        for gone in old[: max(0, len(old) - spec["revisionHistoryLimit"])]:
            self._send("replicasets", sets.pop(gone), "DELETED")
        ready = 0 if stuck else spec["replicas"]
        self.deployment["status"] = {
            "observedGeneration": self.deployment["metadata"]["generation"],
            "replicas": spec["replicas"],
            "updatedReplicas": spec["replicas"],
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
        }
        for kind in ("replicasets", "deployments"):
            for one in self.things[kind].values():
                self._send(kind, one)

    def _make_pods(self, stuck: bool) -> None:
        wanted = {}
        for name, one in self.things["replicasets"].items():
            for number in range(one["spec"]["replicas"]):
                owner = {"uid": f"u-{name}", "controller": True, "kind": "ReplicaSet", "name": name}
                meta: Object = {"name": f"{name}-{number}", "ownerReferences": [owner]}
                meta |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
                ready = {"type": "Ready", "status": str(not stuck)}
                wanted[f"{name}-{number}"] = {
                    "metadata": meta,
                    "spec": one["spec"]["template"]["spec"],
                    "status": {"phase": "Running", "conditions": [ready]},
                }
        pods = self.things["pods"]
        for gone in [name for name in pods if name not in wanted]:
            self._send("pods", pods.pop(gone), "DELETED")
        for name in [name for name in wanted if name not in pods]:
            pods[name] = wanted[name]
            self._send("pods", pods[name])

    def _send(self, kind: str, thing: Object, what: str = "MODIFIED") -> None:
        told = copy.deepcopy(thing)
        told["metadata"]["resourceVersion"] = "2"
        for watch in self.watches[kind]:
            watch.queue.put({"type": what, "object": told})


def _merge(thing: Object, change: Object) -> None:
    """A strategic merge, as far as these tests need it: lists are merged by name."""
    for key, value in change.items():
        if value is None:
            thing.pop(key, None)
        elif isinstance(value, dict):
            _merge(thing.setdefault(key, {}), value)
        elif isinstance(value, list) and value and "name" in value[0]:
            known = {one["name"]: one for one in thing.setdefault(key, [])}
            for one in value:
                if one["name"] not in known:
                    thing[key].append({"name": one["name"]})
                _merge(next(o for o in thing[key] if o["name"] == one["name"]), one)
        else:
            thing[key] = value
