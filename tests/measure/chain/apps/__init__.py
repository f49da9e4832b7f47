"""Apps as the API sends them: `healthy.yaml`, and a file for each way of breaking it.

The first document of a file says what is to be said of it, the others are laid over the healthy
app: an object of the same kind and name is merged, any other is added.

    says:    fields of `Broken`; `seen`, `wanted` and `proof` hold the text that is given
    gone:    kinds and names of objects that are not there
    logs:    the last lines of containers, by pod/container
    replies: how a request to a port of a Service failed, by Service/port
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from course.measure import chain
from course.measure.chain import Broken, Chain
from course.measure.chain.objects import Thing

HERE = Path(__file__).parent
AT = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SPACELESS = {"Namespace", "Node", "StorageClass", "IngressClass"}
SPACELESS |= {"ClusterRole", "ClusterRoleBinding"}
PLURALS = {"Ingress": "ingresses", "IngressClass": "ingressclasses", "StorageClass": "storageclasses"}
PLURALS |= {"NetworkPolicy": "networkpolicies"}
KINDS = set(PLURALS.values()) | {
    f"{kind}s"
    for kind in (
        "configmap clusterrole clusterrolebinding daemonset deployment event gateway httproute"
        " horizontalpodautoscaler job limitrange namespace node persistentvolumeclaim pod"
        " referencegrant replicaset role rolebinding secret service serviceaccount statefulset"
    ).split()
}
"""Every kind that is read."""
BY = {"conditions": "type", "env": "name", "listeners": "name", "volumes": "name"}
BY |= dict.fromkeys(("containers", "initContainers"), "name")
BY |= dict.fromkeys(("containerStatuses", "initContainerStatuses"), "name")


@dataclass(frozen=True)
class App:
    """One app at one moment."""

    name: str
    says: dict[str, str]
    things: dict[tuple[str, str], dict[str, Any]]
    logs: dict[tuple[str, str], str]
    replies: dict[tuple[str, int], str]

    def __str__(self) -> str:
        return self.name

    def chain(self, *, without: Iterable[str] = (), **more: Any) -> Chain:
        """What reading it gives, without the kinds that may not be read."""
        objects: dict[str, list[Thing]] = {kind: [] for kind in KINDS - set(without)}
        for thing in self.things.values():
            kind = thing["kind"]
            some = objects.get(PLURALS.get(kind, f"{kind.lower()}s"))
            if some is not None:
                some.append(Thing(thing))
        unread = dict.fromkeys(without, "the API says 403: forbidden")
        return Chain("course", objects, AT, unread, self.logs, self.replies, **more)

    def assert_said(self, found: Broken | None) -> None:
        """What is said of it is what its file says, in the link that its folder is called like."""
        assert found is not None, f"{self.name}: nothing was accused"
        assert found.link == self.name.split("/")[0], found
        for field, text in self.says.items():
            said = getattr(found, field)
            held = text in said if field in ("seen", "wanted", "proof") else text == said
            assert held, f"{self.name}: {field} is {said!r}\n{found}"
        assert all((found.wanted, found.seen, found.proof)), found
        assert found.look.startswith("kubectl "), found


@functools.cache
def _parsed(path: Path) -> list[dict[str, Any]]:
    return list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))


def documents(path: Path) -> list[dict[str, Any]]:
    """What a file holds, for one who may change it."""
    return copy.deepcopy(_parsed(path))


def app(*names: str) -> App:
    """The healthy app with these breaks laid over it, e.g. `service/typo`; the first one's words."""
    things = {_key(thing): _complete(thing) for thing in documents(HERE / "healthy.yaml")}
    heads = []
    for name in names:
        head, *laid = documents(HERE / f"{name}.yaml")
        heads.append(head)
        for gone in head.get("gone") or []:
            del things[tuple(gone.split(" ", 1))]
        for thing in laid:
            known = things.get(_key(thing))
            things[_key(thing)] = _complete(_merged(known, thing) if known else thing)
    logs = {_pair(at): log for head in heads for at, log in (head.get("logs") or {}).items()}
    replies = {
        (_pair(at)[0], int(_pair(at)[1])): said
        for head in heads
        for at, said in (head.get("replies") or {}).items()
    }
    return App(" ".join(names), heads[0]["says"] if heads else {}, things, logs, replies)


def of(link: str) -> list[App]:
    """The apps that are broken at a link."""
    return [app(f"{link}/{path.stem}") for path in sorted((HERE / link).glob("*.yaml"))]


def said_of(one: App, **more: Any) -> Broken | None:
    return chain.broken(one.chain(**more))


def _key(thing: dict[str, Any]) -> tuple[str, str]:
    return thing["kind"], thing["metadata"]["name"]


def _pair(text: str) -> tuple[str, str]:
    first, _, second = text.partition("/")
    return first, second


def _complete(thing: dict[str, Any]) -> dict[str, Any]:
    meta = thing["metadata"]
    meta.setdefault("uid", f"{thing['kind']}-{meta['name']}")
    if thing["kind"] not in SPACELESS:
        meta.setdefault("namespace", "course")
    return thing


def _merged(old: Any, new: Any, key: str = "") -> Any:
    """What is new over what was; nothing (`null`) removes a field, as in a merge patch.

    Items of some lists are merged by their names, as in a strategic merge patch.
    """
    by = BY.get(key, "")
    if by and isinstance(old, list) and isinstance(new, list):
        known = {one.get(by): one for one in old}
        return list((known | {one[by]: _merged(known.get(one[by]), one) for one in new}).values())
    if not isinstance(old, dict) or not isinstance(new, dict):
        return copy.deepcopy(new)
    merged = {**old, **{at: _merged(old.get(at), value, at) for at, value in new.items()}}
    return {at: value for at, value in merged.items() if value is not None}
