"""What lost a request in a release, as a verdict: pure.

Only when requests were lost are the objects read, to name what lost them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from course.exercises.kit.facts import Facts
from course.exercises.kit.probe_release import ProbeRelease
from course.exercises.kit.shop import DRAIN, NAME, START
from course.exercises.kit.shop_facts import short
from course.exercises.kit.verdict import Wrong
from course.measure.release import (
    NO_READY_ENDPOINT,
    POD_ERROR,
    POD_LOST,
    POD_STARTING,
    TIMED_OUT,
)
from course.measure.rollout import containers

NONE_LEFT = "none-left"
"""The cause where no ready pod is left."""
_DESCRIBE = f"kubectl describe deployment {NAME}"
_USUAL_DRAIN, _USUAL_GRACE = "10000", 30
_LEAST_GRACE = 2
"""So many seconds the kubelet leaves a process after its hook, however long that took."""
_LYING_PROBE = "lying-probe"


@dataclass(frozen=True)
class Lossless(Facts):
    """What a release lost, and what the learner has made of the Deployment."""

    release: ProbeRelease
    deployment: Mapping[str, Any]  # as the API sends it
    start: str  # the slow start that the exercise gives, in milliseconds
    work: float  # how long a request takes in a pod that leaves, in seconds

    def wrong(self) -> Wrong | None:
        seen = self.release.seen
        if not seen.failures:
            return None
        if len(seen.failures_by(TIMED_OUT)) == len(seen.failures):
            return self._held()
        if seen.failures_by(POD_STARTING):
            return early(f"{self.release.said()}{self._ready()}", self.deployment, self.start)
        if seen.failures_by(POD_ERROR):
            return self._erred()
        if seen.failures_by(NO_READY_ENDPOINT):
            return self._unserved()
        return self._cut()

    def _ready(self) -> str:
        seen = self.release.seen
        first = seen.failures_by(POD_STARTING)[0]
        ready = [
            (s.at - seen.zero, pod.name)
            for s in seen.during
            for pod in s.pods
            if pod.version == self.release.version and pod.ready
        ]
        if not ready:
            return ""
        at, name = ready[0]
        return (
            f"; pod {name} was Ready at {at:.1f} s and answered 503 `starting` at {first.at:.1f} s"
        )

    def _held(self) -> Wrong:
        first, limit = self.release.seen.failures[0], self.release.load.timeout
        return Wrong(
            "held-too-long",
            saw=f"{self.release.said()}: the first was sent {first.at:.1f} s after the release "
            f"began and had no answer {limit:.0f} s later",
            want="an answer to each request, from a pod that can serve when it is sent there",
            try_="who has taken them? a pod that is Ready before it can serve, or what else stands "
            f"before the shop: kubectl get httproute,service; {_DESCRIBE}",
            timed=True,
        )

    def _erred(self) -> Wrong:
        first = self.release.seen.failures_by(POD_ERROR)[0]
        return Wrong(
            "answers-errors",
            saw=f"{self.release.said()}: a pod of {first.version} answered {first.error}",
            want="answers without an error, before, during and after a release",
            try_=f"kubectl logs -l app={NAME} --tail=20",
        )

    def _unserved(self) -> Wrong:
        times = [f.at for f in self.release.seen.failures_by(NO_READY_ENDPOINT)]
        strategy = self.deployment["spec"].get("strategy") or {}
        field = short(strategy.get("rollingUpdate") or strategy)
        return Wrong(
            NONE_LEFT,
            saw=f"{self.release.said()}: from {times[0]:.1f} s to {times[-1]:.1f} s after the "
            f"release the gateway knew no ready pod (ReplicaSets: {self.release.seen.fewest_ready} "
            f"ready at the least). Deployment {NAME}: strategy {field}",
            want="a ready pod at every moment: as many as the traffic needs",
            try_=f"kubectl explain deployment.spec.strategy.rollingUpdate; {_DESCRIBE}",
        )

    def _left(self) -> str:
        seen = self.release.seen
        lost = seen.failures_by(POD_LOST)
        leaving = [
            (s.at - seen.zero, pod.name) for s in seen.during for pod in s.pods if pod.terminating
        ]
        if not leaving or not lost:
            return ""
        at, name = leaving[0]
        return (
            f"; pod {name} was told to end at {at:.1f} s; the first request that was lost was sent "
            f"at {lost[0].at:.1f} s"
        )

    def _cut(self) -> Wrong:
        """Name what cut requests that were under way to a pod that ended."""
        spec = self.deployment["spec"]["template"]["spec"]
        container = containers.service(self.deployment["spec"]["template"])
        hook = (container.get("lifecycle") or {}).get("preStop")
        held = hook_seconds(hook)
        grace = spec.get("terminationGracePeriodSeconds", _USUAL_GRACE)
        drain = containers.variable(container, DRAIN) or _USUAL_DRAIN
        drained = float(drain) / 1000 if drain.isdecimal() else 0.0
        waits = f"lifecycle.preStop is {short(hook)}, then {DRAIN} is {drain}"
        killed = max(grace, min(held, grace) + _LEAST_GRACE)
        if hook and (killed < self.work or grace < _LEAST_GRACE):
            cause, field = "grace-too-short", f"terminationGracePeriodSeconds is {grace}"
            if killed < self.work:
                field += f": hook and drain together, and a request took {self.work:.1f} s"
        elif hook and not drained and held < self.work:
            cause, field = (
                "hook-only",
                f"{waits}: when the hook ends the process exits, and a request took "
                f"{self.work:.1f} s",
            )
        elif hook and held + drained < self.work:
            cause, field = "drain-too-short", f"{waits}, and a request took {self.work:.1f} s"
        elif hook:
            cause, field = "prestop-too-short", waits
        elif drained:
            cause, field = (
                "drain-only",
                f"{DRAIN} is {drain} and lifecycle.preStop is not there: it stops listening while "
                f"the gateway still sends",
            )
        elif grace != _USUAL_GRACE:
            cause, field = (
                "grace-unused",
                f"terminationGracePeriodSeconds is {grace}, and with {DRAIN}=0 the process does "
                f"not use it",
            )
        else:
            cause, field = "instant-exit", f"{DRAIN} is 0 and lifecycle.preStop is not there"
        return Wrong(
            cause,
            saw=f"{self.release.said()}{self._left()}. Deployment {NAME}: {field}",
            want="a pod that goes on serving until nobody sends to it, and ends what it has begun",
            try_="kubectl explain pod.spec.containers.lifecycle.preStop; what happens first, the "
            "SIGTERM or the gateway's notice?",
        )


def early(evidence: str, deployment: Mapping[str, Any], given: str) -> Wrong:
    """Name what made a pod ready before it could serve.

    Args:
        evidence: what was seen of it.
        deployment: what the learner has made of it, as the API sends it.
        given: the slow start that the exercise gives, in milliseconds.
    """
    container = containers.service(deployment["spec"]["template"])
    probe = container.get("readinessProbe") or {}
    waits = deployment["spec"].get("minReadySeconds", 0)
    start = containers.variable(container, START)
    if not start or start != given:
        cause, field = (
            "slow-start-hidden",
            f"{START} is {start or 'gone'}: the next release starts slowly all the same",
        )
    elif waits:
        cause, field = (
            "min-ready-only",
            f"minReadySeconds is {waits}: it waits after Ready, while requests already come",
        )
    elif not probe and container.get("livenessProbe"):
        cause, field = (
            "liveness-only",
            "a livenessProbe restarts a container; it keeps no request away",
        )
    elif not probe:
        cause, field = "no-probe", "readinessProbe is not there: a started container is Ready"
    elif probe.get("initialDelaySeconds"):
        cause, field = (
            "guessed-delay",
            f"readinessProbe.initialDelaySeconds is {probe['initialDelaySeconds']}, and this "
            f"start took longer",
        )
    elif "tcpSocket" in probe:
        cause, field = "port-only", "readinessProbe.tcpSocket: the port is open, nothing more"
    elif "exec" in probe:
        cause, field = "lying-exec", f"readinessProbe.exec is {short(probe['exec']['command'])}"
    elif "httpGet" in probe:
        path = probe["httpGet"].get("path", "/")
        cause, field = _LYING_PROBE, f"readinessProbe.httpGet.path is {path}"
    else:
        cause, field = _LYING_PROBE, f"readinessProbe is {short(probe)}"
    return Wrong(
        cause,
        saw=f"{evidence}. Deployment {NAME}: {field}",
        want="Ready only when the service can serve: 0 requests answered `starting`",
        try_=f"kubectl get pods -w   during a release; {_DESCRIBE}   (Readiness)",
    )


def hook_seconds(hook: Mapping[str, Any] | None) -> float:
    """Return how long a preStop hook sleeps; 0 where nothing says so."""
    sleep = ((hook or {}).get("sleep") or {}).get("seconds", 0)
    command = " ".join(((hook or {}).get("exec") or {}).get("command") or [])
    written = re.search(r"\bsleep (\d+(?:\.\d+)?)", command)
    return float(written[1]) if written else float(sleep)
