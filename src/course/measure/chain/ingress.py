"""Ingress: its class has a controller, and each backend is a Service with that port."""

from __future__ import annotations

from collections.abc import Iterator

from course.measure.chain.objects import Broken, Chain, Thing, nearest
from course.measure.chain.route import absent

_PROOF = "an Ingress has no conditions: what it names was looked for"


def ingress(chain: Chain) -> Broken | None:
    """Name what keeps an Ingress from leading to a Service."""
    found = (one for thing in chain.routes("ingresses") for one in _found(chain, thing))
    return next((Broken(*one, _PROOF) for one in found), None)


def _found(chain: Chain, thing: Thing) -> Iterator[tuple[str, str, str, str]]:
    named = [("ingressclasses", "IngressClass", "spec.ingressClassName", thing.spec)]
    for at, tls in enumerate(thing.spec.get("tls") or []):
        named.append(("secrets", "Secret", f"spec.tls[{at}].secretName", tls))
    for kind, word, field, where in named:
        called = where.get(field.rpartition(".")[2])
        if called and chain.knows(kind) and not chain.named(kind, called):
            known = nearest(called, chain.all(kind))
            yield thing.title, field, f"the {word} to be there", f"no {word} {called}{known}"
    for field, backend in thing.backends:
        service = backend.get("service") or {}
        port = service.get("port") or {}
        if service:
            wanted = service["name"], port.get("number") or port.get("name")
            yield from absent(chain, thing, f"{field}.service", wanted, chain.namespace)
