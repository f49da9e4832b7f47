"""ConfigMaps, Secrets and keys that a container waits for, and what else it cannot be given.

The messages are those of kubernetes/pkg/kubelet/kubelet_pods.go and pkg/volume.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from course.measure.chain.objects import Broken, Chain, Container, Thing, line, nearest, told

_NO_OBJECT = re.compile(r'(?P<kind>configmap|secret) "(?P<name>\S+)" not found')
_NO_KEY = re.compile(r"couldn't find key (?P<key>\S+) in (?P<kind>\w+) \S+?/(?P<name>\S+)")
_NO_ITEM = re.compile(r"references non-existent (?P<kind>config|secret) key: (?P<key>\S+)")
_KINDS = {"configmap": "ConfigMap", "config": "ConfigMap", "secret": "Secret"}
_HELD = ("CreateContainerConfigError", "CreateContainerError")
_STARTING = ("ContainerCreating", "PodInitializing")


def config(chain: Chain) -> Broken | None:
    """Name what a container waits for and is not there."""
    for pod in chain.pods():
        for c in pod.containers:
            held = c.state("waiting")
            is_starting = held.get("reason") in _STARTING
            event = chain.event(pod, "FailedMount", "FailedAttachVolume") if is_starting else {}
            if event or held.get("reason") in _HELD:
                message = str((event or held).get("message"))
                proof = told(event) or line(f"{held['reason']} of {pod.title}: {message}")
                found = _missing(chain, pod, c, message)
                return Broken(pod.owner, *found, proof, f"kubectl describe pod {pod.name}")
    return None


def _missing(chain: Chain, pod: Thing, c: Container, message: str) -> tuple[str, str, str]:
    """Return the field, what is wanted and what is seen."""
    if "runAsNonRoot" in message:
        return f"{c.place}.securityContext", "a user that is not root", line(message)
    found = _NO_OBJECT.search(message) or _NO_KEY.search(message) or _NO_ITEM.search(message)
    if not found:
        return c.place, "a container that can be created", line(message)
    said = found.groupdict()
    kind, key = _KINDS[said["kind"].lower()], said.get("key", "")
    place, name = next(
        (
            (place, name)
            for place, of, name, keys in _references(pod, c)
            if of == kind and said.get("name") in (None, name) and (not key or key in keys)
        ),
        (c.place, said.get("name", "")),
    )
    if not key:
        known = nearest(name, chain.all(f"{kind.lower()}s"))
        return place, f"a {kind} of the namespace", f"no {kind} {name}{known}"
    thing = chain.named(f"{kind.lower()}s", name)
    known = nearest(key, thing.get("data") or {}) if thing else ""
    return place, f"a key of {kind} {name}", f"{kind} {name} has no key {key}{known}"


def _references(pod: Thing, c: Container) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield what a container is given: the field, the kind, the name, and the keys named."""
    for one in c.spec.get("env") or []:
        for how, ref in (one.get("valueFrom") or {}).items():
            kind = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}.get(how, "")
            yield f"{c.place}.env[{one['name']}]", kind, ref.get("name", ""), [ref.get("key", "")]
    for at, one in enumerate(c.spec.get("envFrom") or []):
        kind = "ConfigMap" if "configMapRef" in one else "Secret"
        ref = one.get("configMapRef") or one.get("secretRef") or {}
        yield f"{c.place}.envFrom[{at}]", kind, ref.get("name", ""), []
    for volume in pod.spec.get("volumes") or []:
        for part in (volume.get("projected") or {}).get("sources") or [volume]:
            yield from _volume(f"{pod.root}.volumes[{volume['name']}]", part)


def _volume(place: str, part: dict[str, Any]) -> Iterator[tuple[str, str, str, list[str]]]:
    for how, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
        if (source := part.get(how)) is not None:
            keys = [item["key"] for item in source.get("items") or []]
            yield place, kind, source.get("name") or source.get("secretName", ""), keys
