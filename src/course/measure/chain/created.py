"""Pods that the API server refuses: there is no pod that says so, only what would have made it.

The messages are those of its admission plugins: resourcequota, limitranger, podsecurity,
serviceaccount and priority, in kubernetes/plugin/pkg/admission.
"""

from __future__ import annotations

from course.measure.chain.objects import Broken, Chain, Thing, line, told
from course.measure.chain.rules import Rule, explain
from course.measure.rollout.status import controller

_RULES = (
    Rule(
        r"exceeded quota: ([\w.-]+), (requested: .+)",
        "spec.hard",
        "room for the pods of {title}",
        "{1}",
        object="ResourceQuota {0}",
    ),
    Rule(
        r"failed quota: ([\w.-]+): must specify (\S+?)(?: for|,|;|$)",
        "containers[].resources.{1}",
        "a value: ResourceQuota {0} demands one",
        "none",
    ),
    Rule(
        r"(maximum|minimum) (\S+) usage per (\w+) is ([^\s,]+?)[,.] +(?:but|No) (\w+)"
        r"(?: is ([^\s,\]]+))?",
        "containers[].resources.{4}s.{1}",
        "by LimitRange {ranges} a {0} of {3} for each {2}",
        "{5}",
    ),
    Rule(
        r'serviceaccount "(\S+)" not found',
        "serviceAccountName",
        "a ServiceAccount of the namespace",
        "no ServiceAccount {0}",
        of="serviceaccounts",
    ),
    Rule(
        r'violates PodSecurity "(\S+?)": (.+)',
        "securityContext",
        "what Pod Security level {0} of the namespace allows",
        "{1}",
    ),
    Rule(
        r"no PriorityClass with name (\S+)",
        "priorityClassName",
        "a PriorityClass of the cluster",
        "no PriorityClass {0}",
    ),
)


def created(chain: Chain) -> Broken | None:
    """Name what refuses the pods that a workload asks for."""
    for thing in chain.workloads():
        made = [t for t in chain.all("replicasets") if controller(t).get("uid") == thing.uid]
        for maker in made if thing["kind"] == "Deployment" else [thing]:
            message, proof = _refusal(chain, maker)
            if message:
                known = {"title": thing.title}
                known["ranges"] = ", ".join(t.name for t in chain.all("limitranges")) or "(unread)"
                wanted = "pods that the API server accepts"
                default = Broken(thing.title, "spec.template.spec", wanted, line(message), proof)
                return explain(_RULES, message, chain, known, default)
    return None


def _refusal(chain: Chain, maker: Thing) -> tuple[str, str]:
    """Return what was said when a pod was to be made, and the proof; empty if none is missing."""
    if failure := maker.condition("ReplicaFailure", "True"):
        message = str(failure.get("message") or failure.get("reason"))
        return message, line(f"condition ReplicaFailure of {maker.title}: {message}")
    event = chain.event(maker, "FailedCreate")
    has_pods = any(controller(pod).get("uid") == maker.uid for pod in chain.all("pods"))
    if maker["kind"] == "ReplicaSet" or has_pods or maker.status.get("succeeded") or not event:
        return "", ""
    return str(event.get("message") or "it was refused"), told(event)
