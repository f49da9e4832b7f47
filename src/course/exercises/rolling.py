"""Start states and checks of 11-rolling.

Each check releases a version that it makes up, sends requests all the while, and judges what was
answered. Only when requests were lost does it look at the objects, to name what lost them.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from course.core import waiting
from course.core.errors import CourseError
from course.core.text import cut
from course.exercises.kit import probe_release, shop
from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import ProbeRelease
from course.exercises.kit.shop import NAME, Shop
from course.exercises.kit.verdict import NO_ANSWER, Wrong
from course.measure import traffic
from course.measure.release import NO_READY_ENDPOINT, POD_LOST, POD_STARTING
from course.measure.rollout import Rollout, Sample, containers
from course.measure.rollout.columns import condition, is_finished
from course.measure.rollout.status import controller

_FIRST_WAIT = 90.0
_SETTLE_WAIT = 30.0
_ANSWER_WAIT = 10.0
_HELD_AFTER = 3.0
_RELEASE_WAIT = 50.0
_START = "FAULT_START_MS"
_LATENCY = "FAULT_LATENCY_MS"
_DRAIN = "DRAIN_MS"
_LYING_PROBE = "lying-probe"
_NO_ROOM = re.compile(r"Insufficient|Too many pods|taint|no nodes available")
"""A pod that finds no node for any other reason asks for what no node has, e.g. a port twice."""
_DESCRIBE = f"kubectl describe deployment {NAME}"

_CAREFUL = """\
type: RollingUpdate
rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
"""
_READY = """\
readinessProbe:
  httpGet: { path: /readyz, port: http }
  periodSeconds: 1
  timeoutSeconds: 3
"""
_PRE_STOP = """\
lifecycle:
  preStop: { sleep: { seconds: 4 } }
"""


# -- what every check does


def _settled(lab: Lab, held: str = "does-not-start") -> Rollout:
    """The shop at rest: nothing of an earlier change is under way.

    Args:
        lab: the exercise's.
        held: the cause to name if its newest pods cannot start.

    Raises:
        Wrong: it is not there, is paused, or cannot come to rest.
        CourseError: it has not come to rest in time.
    """
    try:
        rollout = Rollout(NAME)
    except CourseError as error:
        if "no Deployment" not in error.saw:
            raise
        raise Wrong(
            "no-deployment",
            saw=error.saw,
            want=f"a Deployment `{NAME}`",
            try_=f"kubectl get deployments; course reset {lab.id}",
        ) from error
    looked = 0.0
    with lab.observe("the shop comes to rest"), rollout.watch() as feed:
        while True:
            sample = feed.samples()[-1]
            if sample.status.state == "paused":
                break
            if sample.status.state == "complete" and not probe_release.serving_old(sample.pods):
                break
            if feed.seconds > looked + 1:
                looked = feed.seconds
                _not_stuck(lab, sample, feed.seconds, held)
            if feed.seconds > _SETTLE_WAIT:
                raise CourseError(
                    f"{NAME} is not at rest after {_SETTLE_WAIT:.0f} s: {sample.status.message}"
                    f"{_kept_waiting(lab, sample)}",
                    "a rollout that has ended",
                    f"kubectl rollout status deployment/{NAME}; then run the check again",
                )
            time.sleep(0.1)
    if sample.status.state == "paused":
        raise Wrong(
            "paused",
            saw=f"Deployment {NAME}: spec.paused is true, so that no release reaches a pod",
            want="a Deployment that rolls out what it is given: spec.paused false",
            try_=f"kubectl rollout history deployment/{NAME}   what would go on if it went on?",
        )
    return rollout


def _not_stuck(lab: Lab, sample: Sample, now: float, cause: str) -> None:
    """Whether what is not ready may still become so.

    Raises:
        Wrong: a pod cannot start, or its probe asks for what is not there.
        CourseError: the cluster is full.
    """
    held = [w for w in sample.status.waiting if w.reason not in ("", "ContainersNotReady")]
    full = [w for w in held if w.reason == "Unschedulable" and _NO_ROOM.search(w.message)]
    if full and now > _HELD_AFTER:
        raise CourseError(
            f"the cluster has no room for pod {full[0].name}: {full[0].message[:80]}",
            "room for one pod more than the shop has",
            "kubectl get pods --all-namespaces   what can go?",
        )
    if held and now > _HELD_AFTER:
        image = containers.service(_template(lab))["image"]
        raise Wrong(
            cause,
            saw=f"Deployment {NAME}: {sample.status.message}; its image is {image}; pod {held[0]}",
            want="a newest revision whose pods start, every one of them",
            try_=f"kubectl rollout history deployment/{NAME}; kubectl describe pod {held[0].name}",
        )
    for pod in sample.pods:
        if pod.ready or pod.terminating or pod.phase != "Running":
            continue
        # 4xx is the service's own word that there is nothing; a refused connection may pass.
        refused = [e for e in _unhealthy(lab, pod.name) if "statuscode: 4" in e["message"]]
        if refused:
            name, probe = _probed(_template(lab), refused[-1])
            raise Wrong(
                "never-ready",
                saw=f"pod {pod.name} runs and does not become Ready; event Unhealthy: "
                f"{refused[-1]['message']}; readinessProbe of container {name}: {_short(probe)}",
                want="a probe that succeeds when the service can serve, so that a release ends",
                try_=f"kubectl describe pod {pod.name}   and what does the service answer on "
                "that path?",
            )


def _unhealthy(lab: Lab, pod: str) -> list[dict[str, Any]]:
    """What the kubelet says of a pod's probes that failed."""
    events = lab.objects("events", fieldSelector=f"involvedObject.name={pod}")
    return [{"message": "", **e} for e in events if e.get("reason") == "Unhealthy"]


def _kept_waiting(lab: Lab, sample: Sample) -> str:
    """The last probe that failed of a pod that runs and is not ready."""
    for pod in sample.pods:
        if pod.phase == "Running" and not pod.ready and (said := _unhealthy(lab, pod.name)):
            name, _ = _probed(_template(lab), said[-1])
            return f"; pod {pod.name}, container {name}: {cut(said[-1]['message'], 160)}"
    return ""


def _answering(lab: Lab) -> None:
    """Whether anything answers under the shop's name.

    Raises:
        Wrong: nothing does.
    """
    url = Shop(lab).url
    with lab.observe("its first answer"):
        # Without a probe a pod is at rest before it listens.
        status = waiting.eventually(
            lambda: traffic.probe(url), wait=_ANSWER_WAIT, pause=0.2, until=lambda got: got == 200
        )
    if status != 200:
        raise Wrong(
            NO_ANSWER,
            saw=f"{url} answers {status}, and that {_ANSWER_WAIT:.0f} s after its pods are at rest",
            want="200, from the shop",
            try_=f"kubectl describe httproute {NAME}; kubectl describe service {NAME}",
        )


def _released(
    lab: Lab, rollout: Rollout, settings: Mapping[str, str], **options: Any
) -> ProbeRelease:
    """A release of the check's own under traffic.

    Raises:
        Wrong: it did not reach those who ask, or it never ended.
        CourseError: the generator was blind.
    """
    options = {"wait": _RELEASE_WAIT, **options}
    with lab.observe("a release under traffic"):
        release = probe_release.release(rollout, Shop(lab).url, settings, **options)
    release.judgeable()
    _reached(lab, release)
    return release


def _reached(lab: Lab, release: ProbeRelease) -> None:
    """Whether the release is what is served when it is over.

    Raises:
        Wrong: the answers come from elsewhere, or name a version of their own.
    """
    if release.seconds is not None and not release.after and not release.seen.failures:
        raise Wrong(
            "not-the-shop",
            saw=f"{NAME} rolled out {release.version}, and no answer has x-orders-version",
            want="the shop's own answers",
            try_=f"curl -si {Shop(lab).url}   kubectl describe httproute {NAME}",
        )
    others = {v: n for v, n in release.after.items() if v != release.version}
    if release.seconds is None or not others:
        return
    others_said = ", ".join(f"`{version}`" for version in others)
    backends = _backends(lab)
    strange = [b for b in backends if b[1] != [NAME]]
    if strange:
        service, owners = strange[0]
        raise Wrong(
            "not-behind-route",
            saw=f"Deployment {NAME} rolled out {release.version}, and the answers go on naming "
            f"{others_said}: Service {service} selects the pods of "
            f"{', '.join(owners) or 'nobody'}",
            want=f"the Deployment {NAME}, and it alone, behind {Shop(lab).host}",
            try_="kubectl get httproute,service -o wide; kubectl get pods --show-labels",
        )
    raise Wrong(
        "forged-version",
        saw=f"Deployment {NAME} rolled out {release.version}, and the answers of its pods name "
        f"{others_said}: the header x-orders-version is not theirs",
        want=f"x-orders-version: {release.version}, as the pods answer",
        try_=f"kubectl get httproute {NAME} -o yaml   who writes that header?",
    )


def _backends(lab: Lab) -> list[tuple[str, list[str]]]:
    """Each Service behind the shop's name, with the Deployments whose pods it selects."""
    host = Shop(lab).host
    services = {t["metadata"]["name"]: t for t in lab.objects("services")}
    deployments = lab.objects("deployments")
    found = []
    for route in lab.objects("httproutes"):
        if host not in (route["spec"].get("hostnames") or []):
            continue
        for rule in route["spec"].get("rules") or []:
            for ref in rule.get("backendRefs") or []:
                service = services.get(ref["name"])
                chosen = (service or {}).get("spec", {}).get("selector") or {}
                owners = [
                    t["metadata"]["name"]
                    for t in deployments
                    if _selects(chosen, t["spec"]["template"])
                ]
                found.append((ref["name"], owners + _strangers(lab, chosen)))
    return found


def _selects(chosen: Mapping[str, str], thing: Mapping[str, Any]) -> bool:
    labels = thing["metadata"].get("labels") or {}
    return bool(chosen) and all(labels.get(key) == value for key, value in chosen.items())


def _strangers(lab: Lab, chosen: Mapping[str, str]) -> list[str]:
    """Whose the pods are that a Service selects and that no Deployment has made."""
    sets = {t["metadata"]["uid"]: t for t in lab.objects("replicasets")}
    found = []
    for pod in lab.objects("pods"):
        if not _selects(chosen, pod) or is_finished(pod):
            continue
        owner = controller(pod)
        above = controller(sets[owner["uid"]]) if owner.get("uid") in sets else {}
        if above.get("kind") != "Deployment":
            kind, name = owner.get("kind", "Pod"), owner.get("name", pod["metadata"]["name"])
            found.append(f"{kind} {name}")
    return list(dict.fromkeys(found))


def _finished(release: ProbeRelease) -> None:
    """Whether the release came to its end.

    Raises:
        CourseError: it did not.
    """
    if release.seconds is not None:
        return
    last = release.seen.samples[-1]
    raise CourseError(
        f"the check's release of {NAME} was not over after {_RELEASE_WAIT:.0f} s: "
        f"{last.status.message}",
        "its end",
        f"kubectl rollout status deployment/{NAME}; is this machine very busy? then run the check "
        "again",
    )


# -- what lost the requests


def _deployment(lab: Lab) -> dict[str, Any]:
    return lab.api.get("deployments", NAME)


def _template(lab: Lab) -> dict[str, Any]:
    return dict(_deployment(lab)["spec"]["template"])


def _probed(template: Mapping[str, Any], event: Mapping[str, Any]) -> tuple[str, Any]:
    """The container whose probe an event is about, by name, and its readiness probe."""
    field = (event.get("involvedObject") or {}).get("fieldPath") or ""
    found = re.search(r"\{(.+)\}", field)
    name = found[1] if found else containers.service(template).get("name")
    spec = template["spec"]
    every = [*spec["containers"], *(spec.get("initContainers") or [])]
    container: dict[str, Any] = next((c for c in every if c["name"] == name), {})
    return str(name), container.get("readinessProbe") or {}


def _short(thing: Any) -> str:
    return cut(thing if isinstance(thing, str) else json.dumps(thing), 120)


def _lossless(lab: Lab, release: ProbeRelease) -> None:
    """Whether no request was lost.

    Raises:
        Wrong: some were; the cause is named.
    """
    if not release.seen.failures:
        return
    if release.seen.failures_by(POD_STARTING):
        raise _early(lab, release)
    if release.seen.failures_by(NO_READY_ENDPOINT):
        raise _unserved(lab, release)
    raise _cut(lab, release)


def _early(lab: Lab, release: ProbeRelease) -> Wrong:
    """Requests that a pod got before it could serve."""
    deployment = _deployment(lab)
    container = containers.service(deployment["spec"]["template"])
    probe = container.get("readinessProbe") or {}
    given = lab.recall(_START)
    first = release.seen.failures_by(POD_STARTING)[0]
    ready = [
        (s.at - release.seen.zero, pod.name)
        for s in release.seen.during
        for pod in s.pods
        if pod.version == release.version and pod.ready
    ]
    proof = (
        f"; pod {ready[0][1]} was Ready at {ready[0][0]:.1f} s and answered 503 `starting` "
        f"at {first.at:.1f} s"
        if ready
        else ""
    )
    waits = deployment["spec"].get("minReadySeconds", 0)
    start = containers.variable(container, _START)
    if not start or start != given:
        cause, field = (
            "slow-start-hidden",
            f"{_START} is {start or 'gone'}: the next release starts slowly all the same",
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
        cause, field = "lying-exec", f"readinessProbe.exec is {_short(probe['exec']['command'])}"
    elif "httpGet" in probe:
        path = probe["httpGet"].get("path", "/")
        cause, field = _LYING_PROBE, f"readinessProbe.httpGet.path is {path}"
    else:
        cause, field = _LYING_PROBE, f"readinessProbe is {_short(probe)}"
    return Wrong(
        cause,
        saw=f"{release.said()}{proof}. Deployment {NAME}: {field}",
        want="Ready only when the service can serve: 0 requests answered `starting`",
        try_=f"kubectl get pods -w   during a release; {_DESCRIBE}   (Readiness)",
    )


def _unserved(lab: Lab, release: ProbeRelease) -> Wrong:
    """Requests for which the gateway knew no pod."""
    spec = _deployment(lab)["spec"]
    times = [f.at for f in release.seen.failures_by(NO_READY_ENDPOINT)]
    strategy = spec.get("strategy") or {}
    field = _short(strategy.get("rollingUpdate") or strategy)
    return Wrong(
        "none-left",
        saw=f"{release.said()}: from {times[0]:.1f} s to {times[-1]:.1f} s after the release the "
        f"gateway knew no ready pod (ReplicaSets: {release.seen.fewest_ready} ready at the least). "
        f"Deployment {NAME}: strategy {field}",
        want="a ready pod at every moment: as many as the traffic needs",
        try_=f"kubectl explain deployment.spec.strategy.rollingUpdate; {_DESCRIBE}",
    )


def _cut(lab: Lab, release: ProbeRelease) -> Wrong:
    """Requests that were under way to a pod that ended."""
    template = _template(lab)
    spec, container = template["spec"], containers.service(template)
    hook = (container.get("lifecycle") or {}).get("preStop")
    grace = spec.get("terminationGracePeriodSeconds", 30)
    drain = containers.variable(container, _DRAIN)
    first = release.seen.failures_by(POD_LOST)[0]
    leaving = [
        (s.at - release.seen.zero, pod.name)
        for s in release.seen.during
        for pod in s.pods
        if pod.terminating
    ]
    proof = (
        f"; pod {leaving[0][1]} was told to end at {leaving[0][0]:.1f} s; the first request "
        f"that was lost was sent at {first.at:.1f} s"
        if leaving
        else ""
    )
    if hook and grace < 2:
        cause, field = "grace-too-short", f"terminationGracePeriodSeconds is {grace}"
    elif hook:
        cause, field = (
            "prestop-too-short",
            f"lifecycle.preStop is {_short(hook)}, then {_DRAIN} is {drain or '10000'}",
        )
    elif drain != "0":
        cause, field = (
            "drain-only",
            f"{_DRAIN} is {drain or '10000'} and lifecycle.preStop is not there: it stops "
            f"listening while the gateway still sends",
        )
    elif grace != 30:
        cause, field = (
            "grace-unused",
            f"terminationGracePeriodSeconds is {grace}, and with {_DRAIN}=0 the process does "
            f"not use it",
        )
    else:
        cause, field = "instant-exit", f"{_DRAIN} is 0 and lifecycle.preStop is not there"
    return Wrong(
        cause,
        saw=f"{release.said()}{proof}. Deployment {NAME}: {field}",
        want="a pod that goes on serving until nobody sends to it, and ends what it has begun",
        try_="kubectl explain pod.spec.containers.lifecycle.preStop; what happens first, the "
        "SIGTERM or the gateway's notice?",
    )


def _work_kept(lab: Lab, release: ProbeRelease, want_ms: float) -> None:
    """Whether a request still takes as long as it does: less work is no safeguard.

    Raises:
        Wrong: requests are answered sooner than the service's work allows.
    """
    if release.seen.summary.p50_ms < 0.8 * want_ms:
        raise Wrong(
            "latency-hidden",
            saw=f"half of the requests were answered within {release.seen.summary.p50_ms:.0f} ms: "
            f"{_LATENCY} of Deployment {NAME} is no longer {want_ms:.0f}",
            want=f"requests that take {want_ms:.0f} ms, as they do, and are answered all the same",
            try_=f"cat {lab.id}/shop.yaml   the work of a request is given",
        )


def _start(lab: Lab, **parts: Any) -> None:
    """Put the shop of an exercise there."""
    here = Shop(lab)
    for name in (_START, _LATENCY):
        lab.remember(name, parts["settings"].get(name, ""))
    here.apply_start_state(shop.manifest(host=here.host, image=here.image("1.1.0"), **parts))


# -- the exercises


@exercise("rolling-1")
class ReleaseLosesNothing:
    """A Deployment with no safeguard at all."""

    settings: ClassVar = {_START: "1500", _LATENCY: "200", _DRAIN: "0"}

    def begin(self, lab: Lab) -> None:
        """Two pods, all of them replaced at once, no probe, an exit without a look back."""
        _start(
            lab,
            replicas=2,
            settings=self.settings,
            strategy="type: RollingUpdate\nrollingUpdate: { maxUnavailable: 100%, maxSurge: 0 }\n",
        )

    def check(self, lab: Lab) -> None:
        """Release a version under traffic and count what is lost."""
        rollout = _settled(lab)
        _answering(lab)
        release = _released(lab, rollout, {_START: "1500"})
        _lossless(lab, release)
        _finished(release)
        _work_kept(lab, release, 200)
        _two_or_more(release)
        _figures(lab, release)


def _two_or_more(release: ProbeRelease) -> None:
    if release.seen.ready_at_start < 2:
        raise Wrong(
            "one-pod",
            saw=f"Deployment {NAME}: {_ready_before(release)}",
            want="2 or more: one pod is lost with its node",
            try_=f"kubectl get deployment {NAME}",
        )


def _ready_before(release: ProbeRelease) -> str:
    found, asked = release.seen.ready_at_start, release.before.desired
    return f"ready pods when the release began: {found}; spec.replicas is {asked}"


def _figures(lab: Lab, release: ProbeRelease) -> None:
    good = release.seen.summary
    lab.note(
        f"0 of {good.planned:,} requests failed in a release of {release.seconds:.1f} s: "
        f"under {3 / max(1, good.ok):.2%} at 95 %"
    )
    lab.note(
        f"at one time at most {release.seen.peak_pods} pods, "
        f"and at least {release.seen.fewest_ready} ready; "
        f"blind {good.blind_ms:.0f} ms, {release.seen.blind_ms:.0f} ms at the most"
    )


@exercise("rolling-2")
class ProbeTellsTheTruth:
    """A readiness probe that is answered before the service can serve."""

    settings: ClassVar = {_START: "2000", _DRAIN: "10000"}

    def begin(self, lab: Lab) -> None:
        """Everything is careful, and the probe asks whether the process lives."""
        _start(
            lab,
            replicas=2,
            settings=self.settings,
            strategy=_CAREFUL,
            container=_READY.replace("/readyz", "/healthz") + _PRE_STOP,
        )

    def check(self, lab: Lab) -> None:
        """Release a version that starts more slowly than the last one, under traffic."""
        rollout = _settled(lab)
        _answering(lab)
        # Another time in each check: who measured the last one and set a delay has learnt nothing.
        start_ms = 4500 + secrets.randbelow(2000)
        release = _released(lab, rollout, {_START: str(start_ms)})
        _lossless(lab, release)
        _finished(release)
        _two_or_more(release)
        _figures(lab, release)
        lab.note(f"this release took {start_ms / 1000:.1f} s to start, the one before it 2 s")


@exercise("rolling-3")
class AcceptedIsAnswered:
    """Requests of 1.5 s, and a service that exits at once when it is told to."""

    settings: ClassVar = {_START: "0", _LATENCY: "1500", _DRAIN: "0"}

    def begin(self, lab: Lab) -> None:
        """Ready pods replace ready pods; those that leave cut what they have begun."""
        _start(lab, replicas=2, settings=self.settings, strategy=_CAREFUL, container=_READY)

    def check(self, lab: Lab) -> None:
        """Release a version while some hundred requests are under way."""
        rollout = _settled(lab)
        _answering(lab)
        release = _released(lab, rollout, {}, rate=150.0)
        _lossless(lab, release)
        _finished(release)
        _work_kept(lab, release, 1500)
        _two_or_more(release)
        _figures(lab, release)


@exercise("rolling-4")
class StuckIsNoticed:
    """Break-it: a release whose image is not there, and nobody who notices."""

    notice = 10.0

    def begin(self, lab: Lab) -> None:
        """1.1.0 serves; a release of an image that was never pushed hangs."""
        here = Shop(lab)
        bad = f"{lab.registry}/{NAME}:1.3.0-{secrets.token_hex(3)}"
        here.image("1.2.0")
        _start(
            lab,
            replicas=2,
            settings={_START: "0", _DRAIN: "10000"},
            strategy=_CAREFUL,
            container=_READY + _PRE_STOP,
        )
        Rollout(NAME).wait(_FIRST_WAIT)
        pods = _counted(lab)
        lab.remember("ready", str(max(_seconds_to_ready(pod) for pod in pods)))
        lab.remember("pods", " ".join(pod["metadata"]["uid"] for pod in pods))
        lab.remember("digest", _image_id(pods[0]).rsplit("@", 1)[-1])
        lab.remember("uid", _deployment(lab)["metadata"]["uid"])
        lab.remember("bad", bad)
        lab.run("kubectl", "set", "image", f"deployment/{NAME}", f"{shop.CONTAINER}={bad}")

    def check(self, lab: Lab) -> None:
        """Look at what serves; then release another bad image and see who notices when."""
        limit = _deployment(lab)["spec"].get("progressDeadlineSeconds", 600)
        held = "only-noticed" if limit <= self.notice else "still-stuck"
        rollout = _settled(lab, held=held)
        self._one_good_version(lab)
        _answering(lab)
        bad = f"{lab.registry}/{NAME}:{secrets.token_hex(4)}"
        with lab.observe("a release of a bad image under traffic"):
            release = probe_release.release(
                rollout, Shop(lab).url, {}, wait=self.notice + 1, image=bad
            )
        release.judgeable()
        _lossless(lab, release)
        noticed = [
            s.at - release.seen.zero for s in release.seen.during if s.status.state == "stalled"
        ]
        if not noticed or noticed[0] > self.notice + 0.5:
            still = release.status.waiting[0] if release.status.waiting else release.status.message
            raise Wrong(
                "not-noticed",
                saw=f"a release of an image that is not there: after {self.notice:.0f} s the "
                f"condition Progressing of Deployment {NAME} is still {release.status.reason}, "
                f"while {still}. progressDeadlineSeconds is {limit}",
                want=f"ProgressDeadlineExceeded within {self.notice:.0f} s",
                try_="kubectl explain deployment.spec.progressDeadlineSeconds",
            )
        self._not_too_soon(lab, noticed[0], limit)
        lab.note(f"a bad image was noticed after {noticed[0]:.1f} s and cost 0 requests")

    def _one_good_version(self, lab: Lab) -> None:
        deployment = _deployment(lab)
        image = containers.service(deployment["spec"]["template"])["image"]
        pods = _counted(lab)
        # What served when the exercise began: a tag may name another image by now, or none.
        digest = lab.recall("digest")
        wrong = [pod for pod in pods if not _image_id(pod).endswith(digest)]
        named = image.split("@")[0].rsplit(":", 1)[-1]
        if image.startswith(lab.recall("bad")):
            raise Wrong(
                "tag-filled",
                saw=f"Deployment {NAME} still asks for {image}, which exists now",
                want="the image that was released before: 1.1.0, by its own name",
                try_=f"kubectl rollout history deployment/{NAME}",
            )
        if wrong:
            raise Wrong(
                "other-version",
                saw=f"pod {wrong[0]['metadata']['name']} runs {image}, whose digest "
                f"{_image_id(wrong[0])[-12:]} is not that of 1.1.0",
                want=f"1.1.0 in every pod: digest {digest[-12:]}",
                try_=f"kubectl rollout history deployment/{NAME}",
            )
        left = set(lab.recall("pods").split()) & {pod["metadata"]["uid"] for pod in pods}
        meta = deployment["metadata"]
        if not left and meta["uid"] != lab.recall("uid"):
            raise Wrong(
                "made-anew",
                saw=f"Deployment {NAME} was made at {meta['creationTimestamp']}, after the "
                f"exercise began, and none of the pods that served then is there: while the one "
                f"was gone and the other not ready, nobody served",
                want="the good pods go on serving; only the bad release goes",
                try_="course reset rolling-4   then: which ReplicaSet has ready pods, and which "
                "not?   kubectl get replicasets",
            )
        lab.note(f"{len(left)} of the first 2 pods have served all the while; image {named}")

    def _not_too_soon(self, lab: Lab, noticed: float, limit: int) -> None:
        """A deadline that ordinary releases miss would cry wolf."""
        start = float(lab.recall("ready"))
        # A start is known to the second, and slow on a busy machine.
        if noticed < min(6.0, max(3.0, 1.5 * start)):
            raise Wrong(
                "deadline-too-short",
                saw=f"progressDeadlineSeconds is {limit}: the bad release was called stalled after "
                f"{noticed:.1f} s; a good pod of this shop took {start:.0f} s to become Ready",
                want="a deadline that a good release meets",
                try_="kubectl get pods -w   during a good release: how long to READY 1/1?",
            )


def _seconds_to_ready(pod: Mapping[str, Any]) -> float:
    """From a pod's creation to its condition Ready, as far as the API tells: whole seconds."""
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    since = condition(pod["status"], "Ready")["lastTransitionTime"]
    return (datetime.fromisoformat(since) - made).total_seconds()


def _image_id(pod: Mapping[str, Any]) -> str:
    return str(containers.state(pod).get("imageID") or "")


def _counted(lab: Lab) -> list[dict[str, Any]]:
    """The shop's pods but for those that leave, or have ended: evicted, failed or completed."""
    return [
        pod
        for pod in lab.objects("pods", labelSelector=f"app={NAME}")
        if "deletionTimestamp" not in pod["metadata"] and not is_finished(pod)
    ]


@exercise("rolling-5")
class DecideUnderLimits:
    """Two strategies, three limits."""

    most, fewest, seconds = 4, 2, 20.0
    pods, start, late = 4, 5.0, 3.0
    """`late`: two rounds of a start, a second each for process and probe, and this are the 20 s."""
    settings: ClassVar = {_START: "5000", _DRAIN: "10000"}

    def begin(self, lab: Lab) -> None:
        """Four pods, careful and slow."""
        _start(
            lab,
            replicas=4,
            settings=self.settings,
            strategy=_CAREFUL,
            container=_READY + _PRE_STOP,
        )
        lab.remember("checks", "0")

    def check(self, lab: Lab) -> None:
        """Release under traffic, count pods and seconds, and compare with the learner's figures."""
        rollout = _settled(lab)
        _answering(lab)
        release = _released(lab, rollout, {_START: "5000"}, wait=self.seconds + 0.5)
        own = release.before.revision - 1 - 2 * self._earlier(lab)
        strategy = _short(_deployment(lab)["spec"]["strategy"].get("rollingUpdate") or "Recreate")
        if release.seen.ready_at_start != self.pods:
            raise Wrong(
                "replicas-changed",
                saw=f"Deployment {NAME}: {_ready_before(release)}",
                want=f"{self.pods}, which the traffic needs between releases",
                try_=f"kubectl get deployment {NAME}",
            )
        if release.seen.peak_pods > self.most:
            raise Wrong(
                "too-many-pods",
                saw=f"{_at(release, release.seen.at_peak.at)}: {release.seen.peak_pods} pods, with "
                f"{strategy}",
                want=f"at most {self.most}: there is no room for a fifth",
                try_="which of the two figures lets a release make a pod more?",
            )
        if release.seen.fewest_ready < self.fewest:
            raise Wrong(
                "too-few-ready",
                saw=f"{_at(release, release.seen.at_fewest.at)}: "
                f"{release.seen.fewest_ready} pods ready, "
                f"with {strategy}",
                want=f"{self.fewest} or more at every moment",
                try_="how many may be away at one time?",
            )
        _lossless(lab, release)
        if release.seconds is None or release.seconds > self.seconds:
            self._not_too_busy(release)
            raise Wrong(
                "too-slow",
                saw=f"{_at(release, release.seen.zero + self.seconds)}: it is not over, with "
                f"{strategy}: {release.status.message}",
                want=f"over within {self.seconds:.0f} s",
                try_="each round takes a start of 5 s: how many rounds are there?",
            )
        self._defended(lab, release, own)
        _figures(lab, release)

    def _earlier(self, lab: Lab) -> int:
        """How many checks this Deployment has seen before; this one is remembered.

        Each is two releases, there and back; the start state is one. One that was made anew under
        its name counts its revisions anew.
        """
        known, _, checks = lab.recall("checks").rpartition(" ")
        uid = str(_deployment(lab)["metadata"].get("uid", ""))
        earlier = int(checks) if uid == known or not known else 0
        lab.remember("checks", f"{uid} {earlier + 1}".strip())
        return earlier

    def _not_too_busy(self, release: ProbeRelease) -> None:
        """See that seconds mean something here, before a release is called slow for them.

        Raises:
            CourseError: its rounds would be in time, if containers did not start as late as here.
        """
        at_once = max(1, min(self.pods, release.seen.peak_pods - release.seen.fewest_ready))
        if self.start * self.pods / at_once >= self.seconds:
            return  # with so few at once the starts alone take too long, on any machine
        made: dict[str, float] = {}
        waited: dict[str, float] = {}
        ran: set[str] = set()
        for sample in release.seen.during:
            for pod in sample.pods:
                if pod.version != release.version or pod.name in ran or pod.terminating:
                    continue
                waited[pod.name] = sample.at - made.setdefault(pod.name, sample.at)
                if pod.phase not in ("", "Pending", "ContainerCreating"):
                    ran.add(pod.name)
        late = max(waited.values(), default=0.0)
        if late > self.late:
            raise CourseError(
                f"a pod's container started {late:.1f} s after its pod was made: this machine is "
                f"too busy for a verdict by seconds",
                f"a machine on which it takes less than {self.late:.0f} s",
                "end what else keeps this machine busy, then run the check again",
            )

    def _defended(self, lab: Lab, release: ProbeRelease, own: int) -> None:
        """The learner's own figures, against what has just been measured, and what is possible.

        Args:
            lab: the exercise's.
            release: the check's.
            own: how many releases the learner has made.
        """
        want = "decision.json with `choice` and the figures of both, as the lab's cell writes it"
        try:
            decision = json.loads((lab.folder() / "decision.json").read_text(encoding="utf-8"))
            rejected = {
                name: {k: float(figures[k]) for k in ("seconds", "peak", "fewest_ready")}
                for name, figures in decision["measured"].items()
            }
            chosen = rejected.pop(decision["choice"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Wrong(
                "no-decision",
                saw=f"{lab.id}/decision.json: {type(error).__name__}: {error}",
                want=want,
                try_="run the measuring cell for both strategies, then write down what they showed",
            ) from error
        broken = [
            r
            for r in rejected.values()
            if r["peak"] > self.most
            or r["seconds"] > self.seconds
            or r["fewest_ready"] < self.fewest
        ]
        if not broken:
            raise Wrong(
                "no-comparison",
                saw=f"decision.json rejects {len(rejected)} strategies, none by a limit it breaks",
                want=f"one that was measured and breaks a limit: more than {self.most} pods, more "
                f"than {self.seconds:.0f} s or fewer than {self.fewest} ready",
                try_="measure the other one too",
            )
        if own <= len(rejected):
            raise Wrong(
                "not-measured",
                saw=f"decision.json has figures of {len(rejected) + 1} strategies; since the "
                f"exercise began you have released Deployment {NAME} {own} times (revision "
                f"{release.before.revision}, without the start's and two of each check)",
                want="figures of releases: one or more for each strategy",
                try_=f"kubectl rollout history deployment/{NAME}; run the measuring cell for each",
            )
        for name, r in rejected.items():
            if not self._possible(**r):
                raise Wrong(
                    "impossible-figures",
                    saw=f"decision.json says of `{name}`: {r['seconds']:g} s, at most "
                    f"{r['peak']:g} pods, at least {r['fewest_ready']:g} ready",
                    want=f"figures that {self.pods} pods can give, each of which takes "
                    f"{self.start:.0f} s to start",
                    try_="run the measuring cell with that strategy",
                )
        near = 0.5 * chosen["seconds"] <= (release.seconds or 0) <= 2 * chosen["seconds"]
        same = (chosen["peak"], chosen["fewest_ready"]) == (
            release.seen.peak_pods,
            release.seen.fewest_ready,
        )
        if not (near and same):
            raise Wrong(
                "figures-differ",
                saw=f"decision.json says {chosen['seconds']:g} s, at most {chosen['peak']:g} pods, "
                f"at least {chosen['fewest_ready']:g} ready; this release took "
                f"{release.seconds:.1f} s, at most {release.seen.peak_pods} pods, at least "
                f"{release.seen.fewest_ready} ready",
                want="figures of the strategy that the Deployment has: the seconds within a factor "
                "of 2, the pods exactly",
                try_="run the measuring cell again with the strategy that you chose",
            )

    def _possible(self, seconds: float, peak: float, fewest_ready: float) -> bool:
        """Whether a release may have such figures.

        Each of its pods is not ready for the length of a start, and never are more pods not ready
        at once than lie between the most pods and the fewest ready ones.
        """
        at_once = min(self.pods, peak - fewest_ready)
        counted = self.pods <= peak <= 2 * self.pods and 0 <= fewest_ready <= self.pods
        return counted and seconds * at_once >= self.start * self.pods


def _at(release: ProbeRelease, at: float) -> str:
    """A moment of a release, as a message names it."""
    return f"Deployment {NAME}, {max(0.0, at - release.seen.zero):.1f} s after its release began"
