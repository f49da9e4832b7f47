"""A Kubernetes API in memory."""

from __future__ import annotations

import copy
import queue
from collections import Counter
from collections.abc import Iterator
from typing import Any

from course.measure.kube_api import ApiError
from tests.deployments import Object


class Fake:
    """An API in memory; a watch gives what `send` puts into it, and can be broken."""

    namespace = "learner"

    def __init__(self, *things: tuple[str, Object]) -> None:
        self.things: dict[str, dict[str, Object]] = {
            kind: {} for kind in ("deployments", "replicasets", "pods")
        }
        for kind, thing in things:
            self.things[kind][thing["metadata"]["name"]] = thing
        self.patches: list[Any] = []
        self.streams: dict[str, FakeEvents] = {}
        self.queries: dict[str, dict[str, str]] = {}
        self.down = False
        self.lists = 0
        self.calls: Counter[str] = Counter()

    def called(self, what: str) -> None:
        self.calls[what] += 1
        if self.down:
            raise ApiError(0, "no Kubernetes API answers")

    def get(self, kind: str, name: str) -> Object:
        self.called(f"get {kind}")
        if name not in self.things[kind]:
            raise ApiError(404, "not found")
        return copy.deepcopy(self.things[kind][name])

    def select(self, kind: str, query: dict[str, str]) -> Object:
        self.lists += 1
        self.called(f"list {kind}")
        named = query.get("fieldSelector", "").removeprefix("metadata.name=")
        items = [thing for name, thing in self.things[kind].items() if named in ("", name)]
        return {"items": copy.deepcopy(items), "metadata": {"resourceVersion": "1"}}

    def patch(self, kind: str, name: str, body: Any) -> Object:
        self.patches.append(body)
        return {}

    def watch(self, kind: str, query: dict[str, str], since: str, seconds: float) -> FakeEvents:
        self.called(f"watch {kind}")
        self.queries[kind] = query
        self.streams[kind] = FakeEvents()
        return self.streams[kind]

    def send(self, kind: str, type_: str, thing: Object) -> None:
        thing["metadata"].setdefault("resourceVersion", "2")
        self.streams[kind].queue.put({"type": type_, "object": thing})


class FakeEvents:
    def __init__(self) -> None:
        self.queue: queue.Queue[Any] = queue.Queue()

    def __iter__(self) -> Iterator[Object]:
        while True:
            event = self.queue.get(timeout=10)
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event

    def close(self) -> None:
        self.queue.put(None)
