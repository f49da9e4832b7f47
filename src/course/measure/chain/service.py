"""Service: its selector finds pods, and its targetPort is one at which they listen."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import product

from course.measure.chain.objects import Broken, Chain, Thing, line, pairs

_PATIENCE = 20.0
"""Seconds that a load balancer may take, and that a process without a probe may take to listen."""


def service(chain: Chain) -> Broken | None:
    """Name what keeps a Service from leading to a port of its pods."""
    for thing in chain.services():
        for look_at in (_selector, _port, _pending):
            found = look_at(chain, thing)
            if found and thing.spec.get("type") != "ExternalName":
                return found
    return None


def _selector(chain: Chain, thing: Thing) -> Broken | None:
    chosen, kinds = thing.selector, ("deployments", "statefulsets", "daemonsets")
    known = {pod.owner: pod.labels for pod in chain.all("pods")}
    known |= {t.title: t.pod_labels for t in chain.all(*kinds, "jobs")}
    unread = not chain.knows(*kinds, "pods")
    if unread or not chosen or any(chosen.items() <= own.items() for own in known.values()):
        return None
    seen = f"{pairs(chosen)}, which no pod and no pod template has"
    if known:
        near, own = max(known.items(), key=lambda item: _likeness(chosen, item[1]))
        seen += f"; the nearest is {near} with {pairs(own)}"
    others = {p.space for p in chain.objects["pods"] if chosen.items() <= p.labels.items()}
    seen += "".join(f"; pods of namespace {space} have it" for space in sorted(others))
    proof, look = f"no pod is behind {thing.title}", "kubectl get pods --show-labels"
    return Broken(thing.title, "spec.selector", "labels that pods have", seen, proof, look)


def _likeness(chosen: Mapping[str, str], own: Mapping[str, str]) -> tuple[int, int, float]:
    """Pairs that they share, keys that they share, and how alike they read."""
    alike = difflib.SequenceMatcher(None, pairs(chosen), pairs(own)).ratio()
    return len(chosen.items() & own.items()), len(chosen.keys() & own.keys()), alike


def _port(chain: Chain, thing: Thing) -> Broken | None:
    behind, ports = chain.selected(thing), thing.spec.get("ports") or []
    for pod, (at, port) in product(behind[:1], enumerate(ports)):
        target, field = port.get("targetPort", port["port"]), f"spec.ports[{at}].targetPort"
        reply = chain.replies.get((thing.name, port["port"]), "")
        there = [f"{p['containerPort']} {p.get('name', '')}".strip() for p in pod.ports]
        named = [p for one in behind for p in one.ports]
        is_named = any(target in (p.get("name"), p["containerPort"]) for p in named)
        wanted = "a port at which the container listens"
        seen = f"{target}; {pod.owner} names the ports: {', '.join(there) or 'none'}"
        if isinstance(target, str) and not is_named:
            return Broken(thing.title, field, wanted, seen, f"no port of {pod.title} is named so")
        if "refused" in reply and not is_named:
            return Broken(thing.title, field, wanted, seen, line(reply))
        if "refused" in reply and chain.seconds_since(pod.status.get("startTime")) > _PATIENCE:
            field, seen = f"{pod.root}.containers[].ports", f"nothing listens at {target}"
            return Broken(pod.owner, field, wanted, seen, line(reply), f"kubectl logs {pod.name}")
    return None


def _pending(chain: Chain, thing: Thing) -> Broken | None:
    given = (thing.status.get("loadBalancer") or {}).get("ingress")
    age = chain.seconds_since(thing["metadata"].get("creationTimestamp"))
    if thing.spec.get("type") != "LoadBalancer" or given or age < _PATIENCE:
        return None
    wanted, seen = "a type that this cluster provides", "LoadBalancer, and it has got no address"
    proof, look = "status.loadBalancer is empty", f"kubectl get service {thing.name}"
    return Broken(thing.title, "spec.type", wanted, seen, proof, look)
