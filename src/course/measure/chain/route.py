"""HTTPRoute: a listener of its Gateway takes it, and each backend is a Service with that port.

What the objects show comes before the conditions: a controller may write one without a message.
Conditions and reasons: gateway-api.sigs.k8s.io/reference/spec, RouteConditionReason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from course.measure.chain.objects import Broken, Chain, Thing, line, nearest
from course.measure.chain.selectors import matches

_PATIENCE = 10.0
"""Seconds that a controller may take to look at a new route."""
_BAD = {"Accepted": "False", "ResolvedRefs": "False", "Programmed": "False"}
_BAD |= {"Conflicted": "True", "PartiallyInvalid": "True"}
"""The status with which a condition of a route or a listener says no."""
_BACKEND = "spec.rules[].backendRefs[]"
_FIELDS = {
    "NoMatchingParent": "spec.parentRefs",
    "NotAllowedByListeners": "spec.parentRefs",
    "NoMatchingListenerHostname": "spec.hostnames",
    "BackendNotFound": f"{_BACKEND}.name",
    "InvalidKind": f"{_BACKEND}.kind",
    "RefNotPermitted": f"{_BACKEND}.namespace",
}
"""The field that a reason is about."""
_Found = tuple[str, str, str, str]
"""The object, its field, what is wanted, what is seen."""


def route(chain: Chain) -> Broken | None:
    """Name what keeps a request from coming through the gateway to a Service."""
    kinds = ("httproutes", "ingresses")
    if chain.host and chain.knows(*kinds) and not any(map(chain.routes, kinds)):
        known = nearest(chain.host, [h for t in chain.all(*kinds) for h in t.hosts])
        wanted, look = f"a route for {chain.host}", "kubectl get httproutes,ingresses"
        proof = "every HTTPRoute and Ingress of the namespace was looked at"
        return Broken("HTTPRoute", "spec.hostnames", wanted, f"none is for it{known}", proof, look)
    for thing in chain.routes("httproutes"):
        for found in (*_parents(chain, thing), *_backends(chain, thing), *_refused(chain, thing)):
            proof = next(_said(thing), "the objects themselves: no condition of the route says it")
            look = f"kubectl describe httproute {thing.name}"
            look = look if found[0] == thing.title else "kubectl describe gateways --all-namespaces"
            return Broken(*found, proof, look)
    return None


def _parents(chain: Chain, thing: Thing) -> Iterator[_Found]:
    for at, parent in enumerate(thing.spec.get("parentRefs") or []):
        field, where = f"spec.parentRefs[{at}]", parent.get("namespace", chain.namespace)
        if parent.get("kind", "Gateway") != "Gateway" or not chain.knows("gateways"):
            continue
        if gateway := chain.named("gateways", parent["name"], where):
            yield from _listeners(chain, thing, gateway, field, parent)
        elif "gateways" not in chain.unread or where == chain.namespace:
            full = f"{where}/{parent['name']}"
            known = nearest(full, [f"{t.space}/{t.name}" for t in chain.objects["gateways"]])
            yield thing.title, f"{field}.name", "a Gateway", f"no Gateway {full}{known}"


def _listeners(
    chain: Chain, thing: Thing, gateway: Thing, field: str, parent: dict[str, Any]
) -> Iterator[_Found]:
    known, asked = gateway.spec["listeners"], {"sectionName": "name", "port": "port"}
    chosen = known
    for key, own in asked.items():
        chosen = [one for one in chosen if parent.get(key) in (None, one[own])]
        if not chosen:
            there = ", ".join(f"{one['name']} (port {one['port']})" for one in known)
            seen = f"{parent[key]}; the listeners are {there}"
            yield thing.title, f"{field}.{key}", f"a listener of {gateway.title}", seen
            return
    opened = [one for one in chosen if _lets_in(chain, one, gateway)]
    if not opened:
        place = f"spec.listeners[{chosen[0]['name']}].allowedRoutes"
        seen = line(chosen[0].get("allowedRoutes") or "from: Same")
        yield gateway.title, place, f"HTTPRoutes of namespace {chain.namespace}", seen
    for told in gateway.status.get("listeners") or [] if len(opened) == 1 else []:
        for bad in (c for c in told.get("conditions") or [] if _is_bad(c, gateway)):
            if told["name"] == opened[0]["name"]:
                tls = ".tls.certificateRefs" if "Certificate" in bad["reason"] else ""
                seen = line(f"{bad['type']} is False: {bad['reason']} {bad['message']}")
                place = f"spec.listeners[{told['name']}]{tls}"
                yield gateway.title, place, "a listener that works", seen


def _lets_in(chain: Chain, listener: dict[str, Any], gateway: Thing) -> bool:
    allowed = listener.get("allowedRoutes") or {}
    kinds = [kind["kind"] for kind in allowed.get("kinds") or []]
    spaces = allowed.get("namespaces") or {}
    own = chain.named("namespaces", chain.namespace)
    holds = {
        "All": True,
        "Same": gateway.space == chain.namespace,
        "Selector": own is None or matches(spaces.get("selector"), own.labels),
    }
    return (not kinds or "HTTPRoute" in kinds) and holds.get(spaces.get("from", "Same"), False)


def _backends(chain: Chain, thing: Thing) -> Iterator[_Found]:
    for field, ref in thing.backends:
        # A controller may know other kinds: its condition says if it does not.
        if not ref.get("group") and ref.get("kind", "Service") == "Service":
            where = ref.get("namespace", chain.namespace)
            if where != chain.namespace and chain.knows("referencegrants"):
                yield from _granted(chain, thing, field, ref)
            yield from absent(chain, thing, field, (ref["name"], ref.get("port")), where)


def _granted(chain: Chain, thing: Thing, field: str, ref: dict[str, Any]) -> Iterator[_Found]:
    grants = [t for t in chain.objects["referencegrants"] if t.space == ref["namespace"]]
    mine = {"kind": "HTTPRoute", "namespace": chain.namespace}
    for spec in (grant.spec for grant in grants):
        given = [to for to in spec["to"] if to["kind"] == "Service"]
        if any(mine.items() <= one.items() for one in spec["from"]) and any(
            to.get("name") in (None, "", ref["name"]) for to in given
        ):
            return
    wanted = f"a ReferenceGrant there, from HTTPRoutes of {chain.namespace} to {ref['name']}"
    other = ", ".join(t.name for t in grants) or "none"
    yield thing.title, f"{field}.namespace", wanted, f"{ref['namespace']}; its grants: {other}"


def absent(
    chain: Chain, thing: Thing, field: str, name_and_port: tuple[str, object], where: str
) -> Iterator[_Found]:
    """Yield what the backend of an HTTPRoute or an Ingress names and is not there.

    Args:
        chain: the objects.
        thing: the route.
        field: of the backend.
        name_and_port: of the Service; the port by number, by name, or `None` where it names none.
        where: the Service's namespace.
    """
    service, port = name_and_port
    found = chain.named("services", service, where)
    if found is None:
        if chain.knows("services") and ("services" not in chain.unread or where == chain.namespace):
            every = chain.objects["services"]
            known = nearest(service, [t for t in every if t.space == where])
            known += "".join(f"; {t.space} has one" for t in every if t.name == service)
            yield thing.title, f"{field}.name", "a Service", f"no Service {service}{known}"
        return
    ports = found.spec.get("ports") or []
    if port is not None and not any(port in (p["port"], p.get("name")) for p in ports):
        there = ", ".join(str(p["port"]) for p in ports)
        wanted, seen = f"a port of Service {service}", f"{port}; it has {there}"
        yield thing.title, f"{field}.port", wanted, seen


def _refused(chain: Chain, thing: Thing) -> Iterator[_Found]:
    """Yield what a controller says of the route beyond that, or that none has looked."""
    for said in _said(thing):
        seen = said.partition(": ")[2]
        field = _FIELDS.get(seen.split(" ")[0], "spec")
        yield thing.title, field, "a route that its Gateway takes", seen
    age = chain.seconds_since(thing["metadata"].get("creationTimestamp"))
    if thing.spec.get("parentRefs") and not thing.status.get("parents") and age > _PATIENCE:
        wanted, seen = "a controller that takes the route", "none has looked at it"
        yield thing.title, "status.parents", wanted, seen


def _said(thing: Thing) -> Iterator[str]:
    for parent in thing.status.get("parents") or []:
        for told in parent.get("conditions") or []:
            if _is_bad(told, thing):
                said = f"{told['reason']} {told.get('message', '')}"
                yield line(f"condition {told['type']} is {told['status']}: {said}")


def _is_bad(told: dict[str, Any], thing: Thing) -> bool:
    """Whether a condition of the object as it is now says no."""
    now = thing["metadata"].get("generation", 0)
    is_new = told.get("observedGeneration", now) >= now
    return bool(is_new and _BAD.get(told["type"]) == told["status"])
