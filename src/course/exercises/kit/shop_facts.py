"""What every check of the shop sees: whether it is at rest, what it answers, who is behind it.

A check that releases must find nothing of an earlier change under way, or it would judge that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from course.core import waiting
from course.core.errors import CourseError
from course.core.text import cut
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import ProbeRelease, serving_old
from course.exercises.kit.reply import Reply
from course.exercises.kit.shop import HISTORY, NAME, Shop
from course.exercises.kit.verdict import NO_ANSWER, WRONG_ANSWER, Wrong
from course.measure import chain, traffic
from course.measure.chain import Broken
from course.measure.rollout import Feed, Rollout, Sample, Waiting, containers
from course.measure.rollout.columns import is_finished
from course.measure.rollout.status import controller

_SETTLE_WAIT = 30.0
_ANSWER_WAIT = 10.0
_OK, _NOT_FOUND = 200, 404
_HELD_AFTER = 3.0
_REFUSED_AFTER = 20.0
"""A pod of this age has had its slow start: an error is its answer, and not the beginning."""
_NO_ROOM = re.compile(r"Insufficient|Too many pods|taint|no nodes available")
"""A pod that finds no node for any other reason asks for what no node has, e.g. a port twice."""
_NOT_THERE = re.compile(r"statuscode: 4|errored")
_ANSWERED = re.compile(r"statuscode: ")

_NOT_BROKEN = Broken("", "", "", "", "")

Object = dict[str, Any]


# -- at rest


@dataclass(frozen=True)
class Missing(Facts):
    """There is no Deployment."""

    id: str  # of the exercise
    said: str

    def wrong(self) -> Wrong | None:
        return Wrong(
            "no-deployment",
            saw=self.said,
            want=f"a Deployment `{NAME}`",
            try_=f"kubectl get deployments; course reset {self.id}",
        )


@dataclass(frozen=True)
class Held(Facts):
    """The newest pods cannot start."""

    cause: str
    message: str  # of the rollout
    image: str
    pod: Waiting

    def wrong(self) -> Wrong | None:
        return Wrong(
            self.cause,
            saw=f"Deployment {NAME}: {self.message}; its image is {self.image}; pod {self.pod}",
            want="a newest revision whose pods start, every one of them",
            try_=f"{HISTORY}; kubectl describe pod {self.pod.name}",
        )


@dataclass(frozen=True)
class NeverReady(Facts):
    """A pod runs, and what its probe is answered does not become better."""

    pod: str
    message: str  # of the event
    container: str
    probe: str
    may_be_late: bool  # the answer is one of a service that has not started yet

    def wrong(self) -> Wrong | None:
        return Wrong(
            "never-ready",
            saw=f"pod {self.pod} runs and does not become Ready; event Unhealthy: {self.message}; "
            f"readinessProbe of container {self.container}: {self.probe}",
            want="a probe that succeeds when the service can serve, so that a release ends",
            try_=f"kubectl describe pod {self.pod}   and what does the service answer on that "
            "path?",
            timed=self.may_be_late,
        )


@dataclass(frozen=True)
class AtRest(Facts):
    """Nothing of a change is under way."""

    paused: bool

    def wrong(self) -> Wrong | None:
        if self.paused:
            return Wrong(
                "paused",
                saw=f"Deployment {NAME}: spec.paused is true, so that no release reaches a pod",
                want="a Deployment that rolls out what it is given: spec.paused false",
                try_=f"{HISTORY}   what would go on if it went on?",
            )
        return None


def at_rest(lab: Lab, cause: str = "does-not-start") -> Observation:
    """Wait until nothing of an earlier change is under way.

    Args:
        lab: the exercise's.
        cause: what to call it if the newest pods cannot start.

    Raises:
        CourseError: it has not come to rest in time, or the cluster is full.
    """
    try:
        rollout = Rollout(NAME)
    except CourseError as error:
        if "no Deployment" not in error.saw:
            raise
        yield Missing(lab.id, error.saw)
        raise
    with lab.observe("the shop comes to rest"), rollout.watch() as feed:
        found = feed.until(lambda: _rest(lab, feed, cause), _SETTLE_WAIT)
        sample = feed.samples(-1)[0]
    if found is None:
        raise CourseError(
            f"{NAME} is not at rest after {_SETTLE_WAIT:.0f} s: {sample.status.message}"
            f"{_kept_waiting(lab, sample)}",
            "a rollout that has ended",
            f"kubectl rollout status deployment/{NAME}; then run the check again",
        )
    yield found


def _rest(lab: Lab, feed: Feed, cause: str) -> Facts | None:
    sample = feed.samples(-1)[0]
    if sample.status.state == "paused":
        return AtRest(paused=True)
    if sample.status.state == "complete" and not serving_old(sample.pods):
        return AtRest(paused=False)
    return _held(lab, sample, feed.seconds, cause) or _never_ready(lab, sample)


def _held(lab: Lab, sample: Sample, now: float, cause: str) -> Facts | None:
    if now <= _HELD_AFTER:
        return None
    held = [w for w in sample.status.waiting if w.reason not in ("", "ContainersNotReady")]
    full = [w for w in held if w.reason == "Unschedulable" and _NO_ROOM.search(w.message)]
    if full:
        raise CourseError(
            f"the cluster has no room for pod {full[0].name}: {full[0].message[:80]}",
            "room for one pod more than the shop has",
            "kubectl get pods --all-namespaces   what can go?",
        )
    if not held:
        return None
    image = containers.service(_template(lab))["image"]
    return Held(cause, sample.status.message, image, held[0])


def _never_ready(lab: Lab, sample: Sample) -> Facts | None:
    for pod in sample.pods:
        if pod.ready or pod.terminating or pod.phase != "Running":
            continue
        # A refused connection may pass, and so may an error while the service starts. A 4xx is its
        # own word that there is nothing, and a probe that "errored" asks for what the pod has not.
        told = _ANSWERED if pod.age > _REFUSED_AFTER else _NOT_THERE
        refused = [e for e in _unhealthy(lab, pod.name) if told.search(e["message"])]
        if refused:
            message = refused[-1]["message"]
            name, probe = _probed(_template(lab), refused[-1])
            late = not _NOT_THERE.search(message)
            return NeverReady(pod.name, message, name, short(probe), late)
    return None


def _unhealthy(lab: Lab, pod: str) -> list[Object]:
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


def _template(lab: Lab) -> Object:
    return dict(lab.api.get("deployments", NAME)["spec"]["template"])


def _probed(template: Mapping[str, Any], event: Mapping[str, Any]) -> tuple[str, Any]:
    """The container whose probe an event is about, by name, and its readiness probe."""
    field = (event.get("involvedObject") or {}).get("fieldPath") or ""
    found = re.search(r"\{(.+)\}", field)
    name = found[1] if found else containers.service(template).get("name")
    spec = template["spec"]
    every = [*spec["containers"], *(spec.get("initContainers") or [])]
    container: Object = next((c for c in every if c["name"] == name), {})
    return str(name), container.get("readinessProbe") or {}


def short(thing: Any) -> str:
    """Return a part of an object as a message shows it."""
    return cut(thing if isinstance(thing, str) else json.dumps(thing), 120)


# -- what it answers


@dataclass(frozen=True)
class Answers(Facts):
    """What came back under the shop's name."""

    url: str
    status: int
    path: str  # one that the service does not have
    reply: Reply
    broken: Broken = _NOT_BROKEN  # the first link between the gateway and the process

    def wrong(self) -> Wrong | None:
        if self.status != _OK:
            link = self.broken
            why = f". {link.object}, {link.field}: {link.seen}" if link.object else ""
            return Wrong(
                NO_ANSWER,
                saw=f"{self.url} answers {self.status}, and that {_ANSWER_WAIT:.0f} s after its "
                f"pods are at rest{why}",
                want="200, from the shop",
                try_=link.look
                or f"kubectl describe httproute {NAME}; kubectl describe service {NAME}",
            )
        if self.reply.status != _NOT_FOUND or self.path not in self.reply.body:
            return Wrong(
                WRONG_ANSWER,
                saw=f"GET {self.path}: {self.reply.status} `{cut(self.reply.body, 60)}`",
                want=f"404, and in its message that nothing is at {self.path}: what the shop "
                "answers of what it does not have",
                try_=f"what else than the shop runs in its pods?   kubectl describe deployment "
                f"{NAME}",
            )
        return None


def answers(lab: Lab) -> Observation:
    """Ask the shop for what it has, and for what it has not: its service goes on being that one."""
    here = Shop(lab)
    with lab.observe("its answers"):
        # Without a probe a pod is at rest before it listens.
        status = waiting.eventually(
            lambda: traffic.probe(here.url),
            wait=_ANSWER_WAIT,
            pause=0.2,
            until=lambda got: got == _OK,
        )
        path = f"/{lab.draw.word()}"
        reply = waiting.eventually(
            lambda: here.ask(path),
            wait=_ANSWER_WAIT,
            pause=0.2,
            until=lambda got: got.status == _NOT_FOUND,
        )
        found = chain.broken(chain.read(host=here.host, api=lab.api)) if status != _OK else None
    yield Answers(here.url, status, path, reply, found or _NOT_BROKEN)


# -- who is behind its name


@dataclass(frozen=True)
class Reached(Facts):
    """Whether a release is what is served when it is over."""

    release: ProbeRelease
    url: str
    host: str
    backends: tuple[tuple[str, tuple[str, ...]], ...]  # each Service, and whose pods it selects

    def wrong(self) -> Wrong | None:
        version = self.release.version
        ended = bool(self.release.seconds)
        if ended and not self.release.after and not self.release.seen.failures:
            return Wrong(
                "not-the-shop",
                saw=f"{NAME} rolled out {version}, and no answer has x-orders-version",
                want="the shop's own answers",
                try_=f"curl -si {self.url}   kubectl describe httproute {NAME}",
            )
        named = ", ".join(f"`{other}`" for other in self.release.strangers)
        strange = [one for one in self.backends if one[1] != (NAME,)]
        if strange:
            service, owners = strange[0]
            answers = f", and the answers go on naming {named}" if ended and named else ""
            return Wrong(
                "not-behind-route",
                saw=f"Deployment {NAME} rolled out {version}{answers}: Service {service} selects "
                f"the pods of {', '.join(owners) or 'nobody'}",
                want=f"the Deployment {NAME}, and it alone, behind {self.host}",
                try_="kubectl get httproute,service -o wide; kubectl get pods --show-labels",
            )
        if not ended or not named:
            return None
        return Wrong(
            "forged-version",
            saw=f"Deployment {NAME} rolled out {version}, and the answers of its pods name "
            f"{named}: the header x-orders-version is not theirs",
            want=f"x-orders-version: {version}, as the pods answer",
            try_=f"kubectl get httproute {NAME} -o yaml   who writes that header?",
        )


def reached(lab: Lab, release: ProbeRelease) -> Reached:
    """Look who is behind the shop's name: also a program in between that passes answers on."""
    here = Shop(lab)
    return Reached(release, here.url, here.host, tuple(_backends(lab, here.host)))


def _backends(lab: Lab, host: str) -> list[tuple[str, tuple[str, ...]]]:
    services = {t["metadata"]["name"]: t for t in lab.objects("services")}
    deployments = [t for t in lab.objects("deployments") if t["spec"].get("replicas", 1)]
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
                found.append((ref["name"], (*owners, *_strangers(lab, chosen))))
    return found


def _selects(chosen: Mapping[str, str], thing: Mapping[str, Any]) -> bool:
    labels = thing["metadata"].get("labels") or {}
    return bool(chosen) and all(labels.get(key) == value for key, value in chosen.items())


def _strangers(lab: Lab, chosen: Mapping[str, str]) -> list[str]:
    """Whose the pods are that a Service selects and that no Deployment has made."""
    pods = lab.objects("pods")  # first: a ReplicaSet stays, also when its pods go
    sets = {t["metadata"]["uid"]: t for t in lab.objects("replicasets")}
    found = []
    for pod in pods:
        if not _selects(chosen, pod) or is_finished(pod):
            continue
        owner = controller(pod)
        above = controller(sets[owner["uid"]]) if owner.get("uid") in sets else {}
        if above.get("kind") != "Deployment":
            kind, name = owner.get("kind", "Pod"), owner.get("name", pod["metadata"]["name"])
            found.append(f"{kind} {name}")
    return list(dict.fromkeys(found))
