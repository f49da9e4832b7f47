"""What no request passes, yet is part of an app: a Job that failed, an autoscaler that is blind."""

from __future__ import annotations

from course.measure.chain.objects import Broken, Chain, line


def job(chain: Chain) -> Broken | None:
    """Name a Job that has failed, or an autoscaler that counts in percent of nothing."""
    for thing in chain.all("jobs") if not chain.host else []:
        failed = thing.condition("Failed", "True")
        if failed and not chain.is_past(thing):
            proof = line(f"condition Failed of {thing.title}: {failed['message']}")
            field, wanted = "spec.template.spec", "pods that end with code 0"
            if failed["reason"] == "DeadlineExceeded":
                field, wanted = "spec.activeDeadlineSeconds", "time enough for the work"
            seen = str(thing.spec.get(field.removeprefix("spec."), failed["reason"]))
            return Broken(thing.title, field, wanted, seen, proof)
    for thing in chain.all("horizontalpodautoscalers") if not chain.host else []:
        blind = thing.condition("ScalingActive", "False")
        if "missing request" in str(blind.get("message")):
            to, field = thing.spec["scaleTargetRef"], "containers[].resources.requests"
            wanted = f"a request: {thing.title} counts in percent of it"
            proof = line(f"condition ScalingActive is False: {blind['message']}")
            look, field = f"kubectl describe hpa {thing.name}", f"spec.template.spec.{field}"
            return Broken(f"{to['kind']} {to['name']}", field, wanted, "none", proof, look)
    return None
