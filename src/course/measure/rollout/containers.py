"""Which container of a pod is the service.

Not the first one: a patch puts a new container in front of those that are there, and so do tools
that inject theirs; and the kubelet sorts their states by name. So a container is found by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from course.measure.rollout.columns import is_sidecar

Object = Mapping[str, Any]

SERVICE = "shop"
"""The container's name in the Deployments of the labs."""
PORT = "http"
"""The name of the port to which their Services lead."""
VERSION_VARIABLE = "ORDERS_VERSION"
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_DEFAULT = "kubectl.kubernetes.io/default-container"


def service(template: Object) -> dict[str, Any]:
    """The container that serves, of a pod template or a pod; empty if it has none.

    It is named `SERVICE`. A learner may rename it: then it is the one to whose port the Service
    leads, the one that kubectl takes by default, the only one with a port, the only one that sets
    the version, or the first, in this order. A native sidecar can be it too; an init container
    that ends, and an ephemeral one, cannot.

    Args:
        template: with `spec`, and `metadata` where it has some.
    """
    spec = template.get("spec") or {}
    beside = [c for c in spec.get("initContainers") or [] if is_sidecar(c)]
    own = list(spec.get("containers") or [])
    every = own + beside
    chosen = ((template.get("metadata") or {}).get("annotations") or {}).get(_DEFAULT)
    rules = (
        [c for c in own if c.get("name") == SERVICE],
        [c for c in every if any(p.get("name") == PORT for p in c.get("ports") or [])],
        [c for c in beside if c.get("name") == SERVICE],
        [c for c in every if c.get("name") == chosen],
        _only([c for c in every if c.get("ports")]),
        _only([c for c in own if variable(c, VERSION_VARIABLE)]),
        every,
    )
    return dict(next((found[0] for found in rules if found), {}))


def _only(found: list[Any]) -> list[Any]:
    return found if len(found) == 1 else []


def variable(container: Object, name: str) -> str:
    """The value of a container's variable; empty if it is not set here. The last one counts.

    A value may name variables that stand before it, as the kubelet reads it: `$(A)`, and `$$` for
    `$`; what is not known here stays as it is written.
    """
    known: dict[str, str] = {}
    for one in container.get("env") or []:
        if one.get("valueFrom"):
            known.pop(one.get("name"), None)
        else:
            value = str(one.get("value") or "")
            known[one.get("name")] = _REFERENCE.sub(
                lambda m: "$" if m[0] == "$$" else known.get(m[1], m[0]), value
            )
    return known.get(name, "")


def state(pod: Object) -> dict[str, Any]:
    """The state of the container that serves, as the kubelet tells it; empty before it does."""
    name = service(pod).get("name")
    status = pod.get("status") or {}
    return next(
        (
            dict(told)
            for kind in ("containerStatuses", "initContainerStatuses")
            for told in status.get(kind) or []
            if told.get("name") == name
        ),
        {},
    )
