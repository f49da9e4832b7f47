"""The objects that a request passes, as the API sent them at one moment.

Nothing here calls anybody: `read` makes a `Chain`, the links look at it.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from course.core.text import cut, harmless
from course.measure.rollout.columns import condition, is_finished, moment
from course.measure.rollout.status import HASH, controller, number

_ROUTES = ("httproutes", "ingresses")
_WORKLOADS = ("deployments", "statefulsets", "daemonsets", "jobs")
_ROOM = 240
LATELY = 600.0
"""Seconds for which an end is a fault, whatever has run well since."""


@dataclass(frozen=True)
class Broken:
    """The first link that does not hold.

    Args:
        object: kind and name of what would have to change.
        field: the field of it.
        wanted: what would hold.
        seen: what is there.
        proof: the condition, the event, the log or the answer that says so.
        look: one kubectl command that shows it.
        link: the name of the link.
    """

    object: str
    field: str
    wanted: str
    seen: str
    proof: str
    look: str = ""
    link: str = ""

    def __str__(self) -> str:
        return (
            f"{self.link}: {self.object}, {self.field}\n  saw:   {self.seen}\n"
            f"  want:  {self.wanted}\n  proof: {self.proof}\n  try:   {self.look}"
        )


class Thing(dict[str, Any]):
    """An object as the API sends it, with a word for what every link asks of it."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self["metadata"]["name"])

    @property
    def title(self) -> str:
        """Its kind and name."""
        return f"{self['kind']} {self.name}"

    @property
    def space(self) -> str:
        """Its namespace; empty if its kind has none."""
        return str(self["metadata"].get("namespace") or "")

    @property
    def uid(self) -> str:
        """What no other object ever has, also not one of the same name."""
        return str(self["metadata"].get("uid") or "")

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return dict(self["metadata"].get("labels") or {})

    @property
    def spec(self) -> dict[str, Any]:
        """What it is to be."""
        return dict(self.get("spec") or {})

    @property
    def status(self) -> dict[str, Any]:
        """What it is."""
        return dict(self.get("status") or {})

    @property
    def selector(self) -> dict[str, str]:
        """A Service's selector."""
        return dict(self.spec.get("selector") or {})

    @property
    def pod_labels(self) -> dict[str, str]:
        """The labels of the pods that it makes."""
        return dict((self.spec["template"].get("metadata") or {}).get("labels") or {})

    def condition(self, kind: str, status: str) -> dict[str, Any]:
        """A condition that has a status; empty if it has another, or is not there."""
        found = condition(self.status, kind)
        return found if found.get("status") == status else {}

    @property
    def hosts(self) -> list[str]:
        """The names at the gateway that an HTTPRoute or an Ingress is for."""
        own = [rule.get("host", "") for rule in self.spec.get("rules") or []]
        return [*(self.spec.get("hostnames") or []), *filter(None, own)]

    @property
    def backends(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each backend of an HTTPRoute or an Ingress, with its field."""
        if self.spec.get("defaultBackend"):
            yield "spec.defaultBackend", self.spec["defaultBackend"]
        for at, rule in enumerate(self.spec.get("rules") or []):
            for place, ref in enumerate(rule.get("backendRefs") or []):
                yield f"spec.rules[{at}].backendRefs[{place}]", ref
            for place, path in enumerate((rule.get("http") or {}).get("paths") or []):
                yield f"spec.rules[{at}].http.paths[{place}].backend", path["backend"]

    # -- of pods

    @property
    def owner(self) -> str:
        """Kind and name of what a learner changes to change a pod."""
        above = controller(self)
        tail = f"-{self.labels.get(HASH)}"
        if above.get("kind") == "ReplicaSet" and above["name"].endswith(tail):
            return f"Deployment {above['name'].removesuffix(tail)}"
        return f"{above['kind']} {above['name']}" if above else self.title

    @property
    def root(self) -> str:
        """The field of its owner that is a pod's spec."""
        return "spec.template.spec" if controller(self) else "spec"

    @property
    def is_ready(self) -> bool:
        """Whether a pod is sent requests."""
        return bool(self.condition("Ready", "True"))

    @property
    def containers(self) -> list[Container]:
        """A pod's containers, in the order in which they start."""
        told = ("initContainerStatuses", "containerStatuses")
        known = {s["name"]: s for key in told for s in self.status.get(key) or []}
        return [
            Container(f"{self.root}.{kind}[{spec['name']}]", spec, known.get(spec["name"], {}))
            for kind in ("initContainers", "containers")
            for spec in self.spec.get(kind) or []
        ]

    @property
    def ports(self) -> list[dict[str, Any]]:
        """The ports that a pod's containers name."""
        return [port for c in self.containers for port in c.spec.get("ports") or []]


class Container(NamedTuple):
    """One container of a pod.

    Args:
        place: the field of the pod's owner that it is.
        spec: what it is to be.
        status: what the kubelet tells of it; empty before it does.
    """

    place: str
    spec: dict[str, Any]
    status: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.spec["name"])

    @property
    def requests(self) -> dict[str, str]:
        """What it requests of a node."""
        return dict((self.spec.get("resources") or {}).get("requests") or {})

    def state(self, kind: str) -> dict[str, Any]:
        """Its state `waiting`, `running` or `terminated`; empty if that is not its state."""
        return dict((self.status.get("state") or {}).get(kind) or {})


@dataclass(frozen=True)
class Chain:
    """One namespace at one moment.

    Args:
        namespace: its name.
        objects: what was read, by kind in the plural; a kind that could not be read is not in it.
        at: when it was read.
        unread: what could not be read in all namespaces or in this one, and why.
        logs: the last lines of containers, by pod and container; of one that was started again,
            those before its end.
        replies: how a request through the API server to a Service's port failed, empty if it was
            answered, by Service and port.
        host: the name at the gateway whose chain is looked at; the whole namespace if empty.
        option: what kubectl needs to look at this namespace; empty if it is its own.
    """

    namespace: str
    objects: Mapping[str, list[Thing]]
    at: datetime
    unread: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    replies: Mapping[tuple[str, int], str] = field(default_factory=dict)
    host: str = ""
    option: str = ""

    def knows(self, *kinds: str) -> bool:
        """Whether these kinds were read: only then is one that is not there absent."""
        return all(kind in self.objects for kind in kinds)

    def all(self, *kinds: str) -> list[Thing]:
        """The objects of some kinds in the namespace, or of the cluster, by name."""
        known = [sorted(self.objects.get(kind, []), key=lambda t: t.name) for kind in kinds]
        return [t for some in known for t in some if t.space in (self.namespace, "")]

    def named(self, kind: str, name: str, namespace: str = "") -> Thing | None:
        """An object by its name, in this namespace, in another, or of the cluster."""
        spaces = (namespace or self.namespace, "")
        found = (t for t in self.objects.get(kind, []) if t.name == name and t.space in spaces)
        return next(found, None)

    def routes(self, kind: str) -> list[Thing]:
        """The HTTPRoutes or Ingresses of the host that is looked at."""
        return [t for t in self.all(kind) if not self.host or self.host in t.hosts]

    def services(self) -> list[Thing]:
        """The Services behind it."""
        backends = [ref for kind in _ROUTES for t in self.routes(kind) for _, ref in t.backends]
        behind = {(ref.get("service") or ref).get("name") for ref in backends}
        return [t for t in self.all("services") if not self.host or t.name in behind]

    def workloads(self) -> list[Thing]:
        """What makes the pods behind it."""
        alone = [t for t in self.all("replicasets") if not controller(t)]
        made = [*self.all(*_WORKLOADS), *alone]
        return [t for t in made if self._is_behind(t.pod_labels)]

    def pods(self) -> list[Thing]:
        """The pods behind it that count: not on their way out, not done, not of a past revision."""
        made = [t for t in self.all("replicasets") if controller(t)]
        newest = {controller(t)["uid"]: t.uid for t in sorted(made, key=number)}
        past = {t.uid for t in made} - {*newest.values()}
        found = [
            pod
            for pod in self.all("pods")
            if not pod["metadata"].get("deletionTimestamp")
            and controller(pod).get("uid") not in past
            and not (is_finished(pod) and self._is_done(pod))
            and self._is_behind(pod.labels)
        ]
        return sorted(found, key=lambda pod: (pod.owner, pod.name))

    def evicted(self) -> list[Thing]:
        """The pods that were ended lately for taking more than they may; others replace them."""
        found = [(pod, self.event(pod, "Evicted", says="exceed")) for pod in self.all("pods")]
        return [
            pod
            for pod, event in found
            if event
            and self._is_behind(pod.labels)
            and self.seconds_since(last_seen(event)) < LATELY
        ]

    def selected(self, service: Thing) -> list[Thing]:
        """The pods that a Service selects."""
        chosen = service.selector.items()
        return [pod for pod in self.pods() if chosen and chosen <= pod.labels.items()]

    def _is_behind(self, labels: Mapping[str, str]) -> bool:
        if not self.host:
            return True
        return any(t.selector and t.selector.items() <= labels.items() for t in self.services())

    def _is_done(self, pod: Thing) -> bool:
        """Whether a pod that has ended says nothing: it did its work, or another has its place."""
        above = controller(pod)
        job = self.named("jobs", above["name"]) if above.get("kind") == "Job" else None
        replaced = above and (job is None or job.status.get("succeeded") or self.is_past(job))
        return pod.status["phase"] == "Succeeded" or bool(replaced)

    def is_past(self, job: Thing) -> bool:
        """Whether a Job is one of a CronJob that has succeeded since."""
        of, made = controller(job).get("uid"), str(job["metadata"].get("creationTimestamp"))
        return any(
            of and controller(t).get("uid") == of and t.status.get("succeeded")
            for t in self.all("jobs")
            if str(t["metadata"].get("creationTimestamp")) > made
        )

    def event(self, thing: Thing, *reasons: str, says: str = "") -> dict[str, Any]:
        """The newest event of an object with one of these reasons and words; empty if none is."""
        found = [
            event
            for event in self.objects.get("events", [])
            if event["involvedObject"].get("uid") == thing.uid
            and event.get("reason") in reasons
            and says in (event.get("message") or "")
        ]
        return max(found, key=last_seen, default=Thing())

    def seconds_since(self, time: object) -> float:
        """Seconds from a time as the API writes it until the moment; 0 if there is none."""
        then = moment(time)
        return (self.at - then).total_seconds() if then else 0.0


def last_seen(event: Mapping[str, Any]) -> str:
    """When an event was seen last; empty if that is not known."""
    series = (event.get("series") or {}).get("lastObservedTime")
    return str(series or event.get("lastTimestamp") or event.get("eventTime") or "")


def told(event: Mapping[str, Any]) -> str:
    """What an event says, on one line; empty if there is none."""
    if not event:
        return ""
    about = event["involvedObject"]
    said = event.get("message") or ""
    return line(f"event {event['reason']} of {about['kind']} {about['name']}: {said}")


def nearest(wanted: str, there: Iterable[Thing | str]) -> str:
    """What there is instead, the likeliest first, as the end of a message."""
    known = sorted({one if isinstance(one, str) else one.name for one in there})
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.6)
    return f"; there is {', '.join(near or known[:5]) or 'none'}"


def pairs(labels: Mapping[str, str]) -> str:
    """Labels as kubectl writes them."""
    return ",".join(f"{key}={value}" for key, value in labels.items()) or "no label"


def line(text: object) -> str:
    """A text, or a piece of an object as JSON, on one line that a person reads to its end."""
    text = text if isinstance(text, str) else json.dumps(text)
    return cut(" ".join(harmless(text).split()), _ROOM)
