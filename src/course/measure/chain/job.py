"""What no request passes, yet is part of an app: a Job that failed, an autoscaler that is blind."""

from __future__ import annotations

from course.measure.chain.objects import Broken, Chain, line

_COMPUTED = "each container of its pods was looked at"


def job(chain: Chain) -> Broken | None:
    """Name a Job that has failed, or an autoscaler that counts in percent of nothing."""
    for thing in chain.all("jobs") if not chain.host else []:
        failed = thing.condition("Failed", "True")
        if failed and not chain.is_past(thing):
            proof = line(f"condition Failed of {thing.title}: {failed.get('message')}")
            field, wanted = "spec.template.spec", "pods that end with code 0"
            if failed.get("reason") == "DeadlineExceeded":
                field, wanted = "spec.activeDeadlineSeconds", "time enough for the work"
            seen = str(thing.spec.get(field.removeprefix("spec."), failed.get("reason")))
            return Broken(thing.title, field, wanted, seen, proof)
    for thing in chain.all("horizontalpodautoscalers") if not chain.host else []:
        to = f"{thing.spec['scaleTargetRef']['kind']} {thing.spec['scaleTargetRef']['name']}"
        pods = [pod for pod in chain.pods() if pod.owner == to]
        for metric in (m.get("resource") or {} for m in thing.spec.get("metrics") or []):
            name, target = metric.get("name"), metric.get("target") or {}
            given = [
                (c.spec.get("resources") or {}).get("requests") for p in pods for c in p.containers
            ]
            if target.get("type") == "Utilization" and any(
                name not in (one or {}) for one in given
            ):
                said = thing.condition("ScalingActive", "False").get("message")
                proof = line(f"condition ScalingActive is False: {said}") if said else _COMPUTED
                field = f"spec.template.spec.containers[].resources.requests.{name}"
                wanted = f"a request: {thing.title} counts in percent of it"
                return Broken(
                    to, field, wanted, "none", proof, f"kubectl describe hpa {thing.name}"
                )
    return None
