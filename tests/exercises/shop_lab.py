"""A lab whose shop is an object in memory."""

from __future__ import annotations

import copy
from typing import Any

from course.exercises.kit.facts import Facts
from course.exercises.kit.lab import Lab

Object = dict[str, Any]


class Api:
    """What the API has."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        self._made, self._others = made, others

    def get(self, kind: str, name: str) -> Object:
        every = self._others.get(kind, [])
        return copy.deepcopy(next((one for one in every if one.get("name") == name), self._made))

    def select(self, kind: str, _: Any) -> Object:
        items = [self._made] if kind == "deployments" else []
        return {"apiVersion": "v1", "kind": "List", "items": [*items, *self._others.get(kind, [])]}


class ShopLab(Lab):
    """A lab on that API."""

    def __init__(self, made: Object, **others: list[Object]) -> None:
        super().__init__("rolling-1")
        self._made = Api(made, **others)
        self.facts = {"FAULT_START_MS": "2000"}

    @property
    def api(self) -> Any:
        return self._made

    @property
    def namespace(self) -> str:
        return "ada"

    @property
    def orders_url(self) -> str:
        return "http://orders.localhost:8080"

    @property
    def registry(self) -> str:
        return "r"

    def recall(self, name: str) -> str:
        return self.facts[name]

    def remember(self, name: str, value: str) -> None:
        self.facts[name] = value


def cause_of(facts: Facts) -> str:
    """The cause that follows from facts; empty if nothing is wrong."""
    wrong = facts.wrong()
    return wrong.cause if wrong else ""
