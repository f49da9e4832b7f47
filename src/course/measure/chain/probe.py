"""Probes that kill a container that runs, or keep its pod from being sent requests.

A pod that starts is given the time that its own probe gives it.
The messages are those of kubernetes/pkg/probe and pkg/kubelet/prober.
"""

from __future__ import annotations

from typing import Any

from course.measure.chain.dependency import called_first
from course.measure.chain.ends import last_end
from course.measure.chain.objects import Broken, Chain, Container, Thing, last_seen, line, told
from course.measure.chain.rules import Rule, explain

_RULES = (
    Rule(r"statuscode: (\d+)", "httpGet.path", "a path that answers below 400; it answers {0}"),
    Rule(r"refused.* \(named\)", "failureThreshold", "time enough until the service listens"),
    Rule("refused", "{how}.port", "a port at which it listens; the container names {ports}"),
    Rule("timeout|deadline exceeded|timed out", "timeoutSeconds", "an answer within {seconds} s"),
    Rule("", "{how}", "what succeeds when the service can serve"),
)


def probe(chain: Chain) -> Broken | None:
    """Name a probe that fails of what runs."""
    for pod in called_first(chain):
        for c in pod.containers:
            killed = chain.event(pod, "Killing", says=f"{c.name} failed")
            is_killed = killed and last_end(chain, pod, c)
            kinds = ("startup", "liveness") if is_killed else ()
            for kind in kinds if pod.is_ready or is_killed else ("readiness",):
                if found := _failing(chain, pod, c, kind):
                    return found
    return None


def _failing(chain: Chain, pod: Thing, c: Container, kind: str) -> Broken | None:
    asked: dict[str, Any] = c.spec.get(f"{kind}Probe") or {}
    event = _event(chain, pod, c, kind)
    fails = _is_over(chain, c, asked, event) if kind == "readiness" else event
    if not asked or not fails:
        return None
    held = pod.condition("Ready", "False")
    proof = told(event) or line(
        f"condition Ready of {pod.title} is False: {held.get('message', '')}"
    )
    message = str(event.get("message", ""))
    how = next((one for one in ("httpGet", "tcpSocket", "exec", "grpc") if one in asked), "")
    port, ports = (asked.get(how) or {}).get("port"), c.spec.get("ports") or []
    if kind != "readiness" and any(port in (p["containerPort"], p.get("name")) for p in ports):
        message += " (named)"  # it may well listen there, later than it is given time for
    known = {"how": how, "seconds": str(asked.get("timeoutSeconds", 1))}
    known["ports"] = ", ".join(str(p["containerPort"]) for p in ports) or "none"
    seen, look = line({how: asked.get(how)}), f"kubectl describe pod {pod.name}"
    default = Broken(pod.owner, f"{c.place}.{kind}Probe", "", seen, proof, look)
    return explain(_RULES, message, chain, known, default)


def _event(chain: Chain, pod: Thing, c: Container, kind: str) -> dict[str, Any]:
    """Return the last failure of a container's probe; of its readiness, only since it runs."""
    event = chain.event(pod, "Unhealthy", says=f"{kind.capitalize()} probe")
    about = (event.get("involvedObject") or {}).get("fieldPath") or c.name
    is_old = kind == "readiness" and last_seen(event) < str(c.state("running").get("startedAt"))
    return {} if is_old or c.name not in about else event


def _is_over(chain: Chain, c: Container, asked: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether a container that runs and is not ready had the time that its probe gives it."""
    running, tries = c.state("running"), asked.get("failureThreshold", 3) + 1
    given = asked.get("initialDelaySeconds", 0) + tries * asked.get("periodSeconds", 10)
    # 4xx is the service's own word that there is nothing; what else fails may pass.
    is_sure = "statuscode: 4" in str(event.get("message"))
    is_late = chain.seconds_since(running.get("startedAt")) > given
    # Until the startup probe has succeeded, nobody asks whether it is ready.
    is_asked = running and c.status.get("started", True) and not c.status.get("ready")
    return bool(is_asked and (is_sure or is_late))
