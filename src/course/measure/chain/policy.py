"""NetworkPolicies, evaluated over the labels of caller and callee, enforced or not.

By kubernetes.io/docs/concepts/services-networking/network-policies: a pod that a policy selects
takes, or sends, only what some policy allows. Who calls whom is told by the routes and by the
names in containers; a Service that nobody names is closed only if nobody may call it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from course.measure.chain.dependency import callers
from course.measure.chain.objects import Broken, Chain, Thing, line, pairs
from course.measure.chain.selectors import matches

_SYSTEM = "kube-system"
_DNS: set[object] = {53, "dns"}


class _Side(NamedTuple):
    """One direction of a pod's traffic: the policies that bound it, if any do."""

    way: str
    peers: str
    bounds: list[Thing]

    @property
    def rules(self) -> list[tuple[Thing, dict[str, Any]]]:
        return [(p, rule) for p in self.bounds for rule in p.spec.get(self.way) or []]


def policy(chain: Chain) -> Broken | None:
    """Name a policy that keeps callers from a Service, or from its name."""
    for service in chain.services() if chain.knows("networkpolicies", "pods") else []:
        for callee in chain.selected(service)[:1]:
            if found := _inwards(chain, service, callee) or _outwards(chain, service, callee):
                return found
    return None


def _inwards(chain: Chain, service: Thing, callee: Thing) -> Broken | None:
    side = _side(chain, callee, "ingress", "from")
    gates = [p for p in chain.objects["pods"] if p.space in _gateway_spaces(chain, service)]
    groups = [("the gateway", gates)] if gates else []
    groups += [(f"{p.owner} ({pairs(p.labels)})", [p]) for p in callers(chain, service)]
    if not groups and side.bounds and not side.rules:
        groups = [("whoever calls it", [])]
    for who, pods in groups:
        if not any(_allows(chain, side, pod, _ports(service, callee)) for pod in pods):
            return _broken(side, f"{who} allowed to {callee.owner}, port {_said(service)}")
    return None


def _outwards(chain: Chain, service: Thing, callee: Thing) -> Broken | None:
    dns = [p for p in chain.objects["pods"] if p.space == _SYSTEM and "dns" in p.name]
    for caller in callers(chain, service):
        side = _side(chain, caller, "egress", "to")
        if dns and not any(_allows(chain, side, pod, _DNS) for pod in dns):
            return _broken(side, f"{caller.owner} allowed to DNS: port 53 in {_SYSTEM}")
        if not _allows(chain, side, callee, _ports(service, callee)):
            return _broken(side, f"{caller.owner} allowed to {callee.owner}, {_said(service)}")
    return None


def _broken(side: _Side, wanted: str) -> Broken:
    seen = "; ".join(line(rule) for _, rule in side.rules) or "nothing is allowed"
    proof = "computed from the labels of both: no event says so"
    return Broken(side.bounds[0].title, f"spec.{side.way}", wanted, line(seen), proof)


def _side(chain: Chain, pod: Thing, way: str, peers: str) -> _Side:
    bounds = [
        p
        for p in chain.all("networkpolicies")
        if way.capitalize() in (p.spec.get("policyTypes") or ["Ingress"])
        and matches(p.spec.get("podSelector"), pod.labels)
    ]
    return _Side(way, peers, bounds)


def _allows(chain: Chain, side: _Side, other: Thing, ports: set[object]) -> bool:
    return not side.bounds or any(
        (not rule.get("ports") or any(_opens(port, ports) for port in rule["ports"]))
        and (
            not rule.get(side.peers)
            or any(_is_peer(chain, bound, peer, other) for peer in rule[side.peers])
        )
        for bound, rule in side.rules
    )


def _opens(opened: dict[str, Any], ports: set[object]) -> bool:
    first = opened.get("port")
    if first is None or first in ports:
        return True
    range_ = range(first, opened["endPort"] + 1) if "endPort" in opened else ()
    return any(port in range_ for port in ports)


def _is_peer(chain: Chain, bound: Thing, peer: dict[str, Any], pod: Thing) -> bool:
    space = chain.named("namespaces", pod.space)
    if "ipBlock" in peer:
        return True  # nothing is said here of addresses
    if "namespaceSelector" in peer:
        is_there = space is None or matches(peer["namespaceSelector"], space.labels)
    else:
        is_there = pod.space == bound.space
    return is_there and matches(peer.get("podSelector"), pod.labels)


def _ports(service: Thing, callee: Thing) -> set[object]:
    """Return the ports of a pod to which a Service leads, by number and by name."""
    wanted: set[object] = {p.get("targetPort", p["port"]) for p in service.spec.get("ports") or []}
    both = [{p["containerPort"], p.get("name")} for p in callee.ports]
    return wanted.union(*(pair for pair in both if pair & wanted))


def _said(service: Thing) -> str:
    return ", ".join(str(p.get("targetPort", p["port"])) for p in service.spec.get("ports") or [])


def _gateway_spaces(chain: Chain, service: Thing) -> set[str]:
    return {
        parent.get("namespace", chain.namespace)
        for route in chain.routes("httproutes")
        if service.name in [ref.get("name") for _, ref in route.backends]
        for parent in route.spec.get("parentRefs") or []
    }
