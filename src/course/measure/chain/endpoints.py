"""EndpointSlice: empty where nobody asks for a pod. Why others are empty, their pods say."""

from __future__ import annotations

from course.measure.chain.objects import Broken, Chain, Thing, told


def endpoints(chain: Chain) -> Broken | None:
    """Name what is scaled to zero, and is needed by a Service or is all that there is."""
    idle = [t for t in chain.workloads() if t.spec.get("replicas", 1) == 0]
    for service in chain.services():
        behind = [t for t in idle if service.selector.items() <= t.pod_labels.items()]
        if service.selector and behind and not chain.selected(service):
            return _zero(chain, behind[0], f"no pod is behind {service.title}")
    if idle and not chain.services() and not chain.pods():
        return _zero(chain, idle[0], "nothing runs in the namespace")
    return None


def _zero(chain: Chain, thing: Thing, proof: str) -> Broken:
    scaled = told(chain.event(thing, "ScalingReplicaSet", "SuccessfulDelete"))
    proof = "; ".join(filter(None, (proof, scaled)))
    return Broken(thing.title, "spec.replicas", "1 or more", "0", proof)
