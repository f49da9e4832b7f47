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
    Rule(" probe (?:failed|errored)", "{how}", "what succeeds when the service can serve"),
)


def probe(chain: Chain) -> Broken | None:
    """Name a probe that fails of what runs."""
    for pod in called_first(chain):
        for c in pod.containers:
            is_killed = last_end(chain, pod, c) and chain.event(
                pod, "Killing", says=f"{c.name} failed"
            )
            kinds = ("startup", "liveness") if is_killed else ()
            for kind in kinds if pod.is_ready or is_killed else ("readiness",):
                if found := _failing(chain, pod, c, kind):
                    return found
    return None


def _failing(chain: Chain, pod: Thing, c: Container, kind: str) -> Broken | None:
    asked: dict[str, Any] = c.spec.get(f"{kind}Probe") or {}
    event = chain.event(pod, "Unhealthy", says=f"{kind.capitalize()} probe")
    about = (event.get("involvedObject") or {}).get("fieldPath") or c.name
    if not asked or not event or c.name not in about:
        return None
    message, running = str(event.get("message")), c.state("running")
    if kind == "readiness":
        tries = asked.get("failureThreshold", 3) + 1
        given = asked.get("initialDelaySeconds", 0) + tries * asked.get("periodSeconds", 10)
        # 4xx is the service's own word that there is nothing; what else fails may pass.
        is_early = "statuscode: 4" not in message and (
            chain.seconds_since(running.get("startedAt")) < given
        )
        is_old = last_seen(event) < str(running.get("startedAt"))
        if c.status.get("ready") or not running or is_early or is_old:
            return None
    how = next((one for one in ("httpGet", "tcpSocket", "exec", "grpc") if one in asked), "")
    port, ports = (asked.get(how) or {}).get("port"), c.spec.get("ports") or []
    if kind != "readiness" and any(port in (p["containerPort"], p.get("name")) for p in ports):
        message += " (named)"  # it may well listen there, later than it is given time for
    known = {"how": how, "seconds": str(asked.get("timeoutSeconds", 1))}
    known["ports"] = ", ".join(str(p["containerPort"]) for p in ports) or "none"
    seen, look = line({how: asked.get(how)}), f"kubectl describe pod {pod.name}"
    default = Broken(pod.owner, f"{c.place}.{kind}Probe", "", seen, told(event), look)
    return explain(_RULES, message, chain, known, default)
