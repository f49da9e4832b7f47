"""Pods that no node takes, and the claims that they wait for.

The messages are those of kubernetes/pkg/scheduler/framework/plugins.
"""

from __future__ import annotations

from course.measure.chain.objects import Broken, Chain, Thing, line, nearest, pairs, told
from course.measure.chain.rules import Rule, explain

_RULES = (
    Rule(
        r'persistentvolumeclaim "(\S+)" not found',
        "volumes[].persistentVolumeClaim.claimName",
        "a PersistentVolumeClaim of the namespace",
        "no PersistentVolumeClaim {0}",
        of="persistentvolumeclaims",
    ),
    Rule(
        r"Insufficient ([\w./-]*\w)",
        "containers[].resources.requests.{0}",
        "as much as a node has left ({nodes})",
        "Insufficient {0}; requested: {requests}",
    ),
    Rule(
        "node affinity/selector",
        "{affinity}",
        "what a node has: {node_labels}",
        "{asked}",
    ),
    Rule(r"untolerated taint", "tolerations", "a toleration of the nodes' taints: {taints}"),
    Rule("anti-affinity rules", "affinity.podAntiAffinity", "a node without such pods"),
    Rule("pod affinity rules", "affinity.podAffinity", "a node with a pod to be near to"),
    Rule("topology spread", "topologySpreadConstraints", "a node that keeps the pods spread"),
    Rule("free ports", "containers[].ports[].hostPort", "a port that is free on a node"),
    Rule("SchedulingGated", "schedulingGates", "no gate that is left"),
)


def scheduled(chain: Chain) -> Broken | None:
    """Name what a pod asks for and no node has."""
    for pod in chain.pods():
        if held := pod.condition("PodScheduled", "False"):
            message = f"{held.get('reason', '')} {held.get('message', '')}"
            proof = line(f"condition PodScheduled of {pod.title} is False: {message}")
            look = f"kubectl describe pod {pod.name}"
            wanted, seen = "a node that takes the pod", line(message)
            default = Broken(pod.owner, pod.root, wanted, seen, proof, look)
            if "unbound immediate" in message or "volumes to bind" in message:
                return _unbound(chain, pod, default)
            return explain(_RULES, message, chain, _asked(chain, pod), default)
    return None


def _asked(chain: Chain, pod: Thing) -> dict[str, str]:
    """Return what a pod asks for and what nodes have, as texts for the rules."""
    nodes = chain.all("nodes")
    room = [node.status.get("allocatable") or {} for node in nodes]
    taints = [taint["key"] for node in nodes for taint in node.spec.get("taints") or []]
    selector = pod.spec.get("nodeSelector")
    return {
        "requests": "; ".join(pairs(c.requests) for c in pod.containers if c.requests),
        "nodes": "; ".join(f"cpu={r.get('cpu')},memory={r.get('memory')}" for r in room) or "?",
        "node_labels": "; ".join(pairs(node.labels) for node in nodes),
        "taints": ", ".join(taints),
        "affinity": "nodeSelector" if selector else "affinity.nodeAffinity",
        "asked": pairs(selector) if selector else line(pod.spec.get("affinity") or {}),
    }


def _unbound(chain: Chain, pod: Thing, default: Broken) -> Broken:
    """Name the first claim of a pod that has no volume."""
    volumes = [v.get("persistentVolumeClaim") or {} for v in pod.spec.get("volumes") or []]
    names = [volume.get("claimName") for volume in volumes]
    for claim in chain.all("persistentvolumeclaims"):
        if claim.name in names and claim.status.get("phase") != "Bound":
            of, known = claim.spec.get("storageClassName"), chain.all("storageclasses")
            event = chain.event(claim, "ProvisioningFailed", "FailedBinding", "VolumeMismatch")
            field, wanted = "spec", "a volume that fits it"
            seen = line({key: claim.spec.get(key) for key in ("accessModes", "resources")})
            if of and chain.knows("storageclasses") and of not in [t.name for t in known]:
                field, wanted = "spec.storageClassName", "a StorageClass of the cluster"
                seen = f"no StorageClass {of}{nearest(of, known)}"
            return Broken(claim.title, field, wanted, seen, told(event) or default.proof)
    return default
