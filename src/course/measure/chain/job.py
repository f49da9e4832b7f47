"""What no request passes, yet is part of an app: a Job that failed, an autoscaler that is blind."""

from __future__ import annotations

from collections.abc import Iterator

from course.measure.chain.objects import Broken, Chain, line


def job(chain: Chain) -> Broken | None:
    """Name a Job that has failed, or an autoscaler that counts in percent of nothing."""
    found = () if chain.host else (*_jobs(chain), *_autoscalers(chain))
    return next(iter(found), None)


def _jobs(chain: Chain) -> Iterator[Broken]:
    for thing in chain.all("jobs"):
        failed = thing.condition("Failed", "True")
        if failed and not chain.is_past(thing):
            proof = line(f"condition Failed of {thing.title}: {failed.get('message')}")
            field, wanted = "spec.template.spec", "pods that end with code 0"
            if failed.get("reason") == "DeadlineExceeded":
                field, wanted = "spec.activeDeadlineSeconds", "time enough for the work"
            seen = str(thing.spec.get(field.removeprefix("spec."), failed.get("reason")))
            yield Broken(thing.title, field, wanted, seen, proof)


def _autoscalers(chain: Chain) -> Iterator[Broken]:
    for thing in chain.all("horizontalpodautoscalers"):
        to = f"{thing.spec['scaleTargetRef']['kind']} {thing.spec['scaleTargetRef']['name']}"
        metrics = [metric.get("resource") or {} for metric in thing.spec.get("metrics") or []]
        given = [c.requests for pod in chain.pods() if pod.owner == to for c in pod.containers]
        for name in (m["name"] for m in metrics if m and m["target"]["type"] == "Utilization"):
            if any(name not in requests for requests in given):
                field = f"spec.template.spec.containers[].resources.requests.{name}"
                wanted = f"a request: {thing.title} counts in percent of it"
                said = thing.condition("ScalingActive", "False").get("message") or "nothing"
                proof = line(f"{thing.title} says: {said}; each container was looked at")
                yield Broken(to, field, wanted, "none", proof, f"kubectl describe hpa {thing.name}")
