"""What the objects of a Deployment say, read as plain dictionaries; no client, no clock.

The version of a pod is what its service answers with (`containers.service`): the variable
`ORDERS_VERSION` if its template sets one, else the tag of its image. Two revisions may have one
version (a restart).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from course.measure.rollout import containers
from course.measure.rollout.columns import columns, condition, is_finished

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
DEADLINE = "ProgressDeadlineExceeded"

State = Literal["complete", "progressing", "paused", "stalled", "gone"]
Object = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod at one moment.

    Args:
        name: its name.
        version: see the module's text.
        revision: of the Deployment; 0 while its ReplicaSet has not been seen.
        phase: as `kubectl get pods` puts it: Pending, Running, Terminating, ImagePullBackOff, …
        ready: whether its condition Ready is true: it gets traffic, unless it terminates.
        terminating: it has been asked to end.
        restarts: as `kubectl get pods` counts them.
        age: seconds since it was made; 0 if this machine's clock is behind the node's.
        finished: it has ended for good, evicted, failed or completed, and is listed all the same:
            neither its ReplicaSet nor its Service counts it.
    """

    name: str
    version: str
    revision: int
    phase: str
    ready: bool
    terminating: bool
    restarts: int
    age: float
    finished: bool = False

    @property
    def counts(self) -> bool:
        """Whether its ReplicaSet counts it: it is neither on its way out nor finished."""
        return not self.terminating and not self.finished


@dataclass(frozen=True)
class Waiting:
    """A container that does not start, or a ReplicaSet that cannot make its pods.

    Args:
        name: of the pod or ReplicaSet.
        reason: e.g. `ImagePullBackOff`.
        message: what the kubelet or the controller says of it.
    """

    name: str
    reason: str
    message: str

    def __str__(self) -> str:
        said = f": {self.message}" if self.message else ""
        return f"{self.name}: {self.reason}{said}"


@dataclass(frozen=True)
class Status:
    """How far a rollout is.

    Args:
        state: complete, progressing, paused, stalled (its deadline has passed), or gone
            (the Deployment has been deleted).
        message: the same in a sentence.
        reason: of the condition `Progressing`, e.g. `ProgressDeadlineExceeded`.
        desired: replicas asked for.
        replicas: replicas there are.
        updated: of the newest revision.
        ready: of any revision.
        available: ready for at least `minReadySeconds`.
        revision: the newest.
        version: of the newest revision.
        previous: the revision that `undo` goes back to; 0 if there is none.
        waiting: what does not start, newest revision only.
    """

    state: State
    message: str
    reason: str = ""
    desired: int = 0
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    revision: int = 0
    version: str = ""
    previous: int = 0
    waiting: tuple[Waiting, ...] = ()

    def __repr__(self) -> str:
        lines = [f"{self.state}: {self.message}"]
        if self.reason == DEADLINE:
            lines[0] += f" ({self.reason})"
        return "\n".join([*lines, *(f"  {waiting}" for waiting in self.waiting)])


def version(template: Object) -> str:
    """The version of a pod template or a pod."""
    service = containers.service(template)
    set_here = containers.variable(service, containers.VERSION_VARIABLE)
    return set_here or tag(str(service.get("image") or ""))


def tag(image: str) -> str:
    """The tag of an image's name, the head of its digest where it has no tag, else `latest`."""
    name, _, digest = image.partition("@")
    last = name.rsplit("/", 1)[-1]
    if ":" in last:
        return last.rsplit(":", 1)[1]
    return digest.removeprefix("sha256:")[:12] if digest else "latest"


def number(thing: Object) -> int:
    """The revision that an object carries; 0 if none."""
    text = (thing["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdecimal() else 0


def owned(things: Iterable[Object], uid: str) -> list[Object]:
    """Those whose controller has this uid."""
    return [thing for thing in things if uid and controller(thing).get("uid") == uid]


def controller(thing: Object) -> Object:
    """The owner that made an object and counts it; empty if it has none. There may be others."""
    owners = thing["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})


def selector(deployment: Object) -> str:
    """A Deployment's selector as a query."""
    chosen = deployment["spec"]["selector"]
    parts = [f"{key}={value}" for key, value in (chosen.get("matchLabels") or {}).items()]
    for rule in chosen.get("matchExpressions") or []:
        key, operator, values = rule["key"], rule["operator"], ",".join(rule.get("values") or [])
        parts.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": key,
                "DoesNotExist": f"!{key}",
            }[operator]
        )
    return ",".join(parts)


def pods(things: Iterable[Object], replicasets: Sequence[Object], now: datetime) -> tuple[Pod, ...]:
    """A Deployment's pods, in the order in which they were made.

    Args:
        things: pods that match its selector; those of other owners are left out.
        replicasets: the Deployment's own.
        now: for their ages.
    """
    numbers = {thing["metadata"]["uid"]: number(thing) for thing in replicasets}
    found = []
    for thing in things:
        owner = controller(thing).get("uid", "")
        if owner in numbers:
            made = str(thing["metadata"].get("creationTimestamp") or "")
            found.append((made, _pod(thing, numbers[owner], now)))
    # By when they were made and not by their ages, which are all 0 under a clock that is behind.
    return tuple(pod for _, pod in sorted(found, key=lambda one: (one[0], one[1].name)))


def _pod(thing: Object, revision: int, now: datetime) -> Pod:
    row, finished = columns(thing), is_finished(thing)
    ready = condition(thing.get("status") or {}, "Ready").get("status") == "True"
    return Pod(
        name=row.name,
        version=version(thing),
        revision=revision,
        phase=row.status,
        ready=ready and not finished,
        terminating=bool(thing["metadata"].get("deletionTimestamp")),
        restarts=row.restarts,
        age=max(0.0, (now - row.made).total_seconds()) if row.made else 0.0,
        finished=finished,
    )


_STARTING = ("ContainerCreating", "PodInitializing")


def _waiting(pod: Object) -> Waiting | None:
    """Why a pod's container does not start; `None` while nothing is wrong."""
    name, status = pod["metadata"]["name"], pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or []:
            held = (container.get("state") or {}).get("waiting") or {}
            if held.get("reason", "") not in ("", *_STARTING):
                return Waiting(name, held["reason"], held.get("message", ""))
    scheduled = condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return Waiting(name, scheduled.get("reason", ""), scheduled.get("message", ""))
    return None


NO_DEPLOYMENT = Status("gone", "the Deployment is not there")


def status(
    deployment: Object, replicasets: Sequence[Object], things: Iterable[Object] = ()
) -> Status:
    """How far a rollout is, by the rules of `kubectl rollout status`.

    Args:
        deployment: the Deployment.
        replicasets: its own.
        things: pods that match its selector.
    """
    spec, now = deployment["spec"], deployment.get("status") or {}
    count = {
        name: int(now.get(key) or 0)
        for name, key in (
            ("replicas", "replicas"),
            ("updated", "updatedReplicas"),
            ("ready", "readyReplicas"),
            ("available", "availableReplicas"),
        )
    }
    asked = spec.get("replicas")
    desired = 1 if asked is None else int(asked)
    progress = condition(now, "Progressing")
    reason = str(progress.get("reason") or "")
    state, message = _state(deployment, desired, count, reason)
    past = sorted(map(number, replicasets))
    return Status(
        state=state,
        message=message,
        reason=reason,
        desired=desired,
        **count,
        revision=number(deployment),
        version=version(spec["template"]),
        previous=past[-2] if len(past) > 1 else 0,
        waiting=_stuck(replicasets, things, past[-1] if past else 0),
    )


def _state(
    deployment: Object, desired: int, count: Mapping[str, int], reason: str
) -> tuple[State, str]:
    seen = (deployment.get("status") or {}).get("observedGeneration") or 0
    updated, available = count["updated"], count["available"]
    old = count["replicas"] - updated
    wait = deployment["spec"].get("progressDeadlineSeconds", 600)
    now = f"{updated} of {desired} replicas updated, {available} available"
    states: list[tuple[bool, State, str]] = [
        (bool(deployment["spec"].get("paused")), "paused", now),
        (
            deployment["metadata"].get("generation", 0) > seen,
            "progressing",
            "the change has not been observed yet",
        ),
        (reason == DEADLINE, "stalled", f"no progress within {wait} s: {now}"),
        (updated < desired, "progressing", f"{updated} of {desired} replicas updated"),
        (old > 0, "progressing", f"{old} old replica{'s' if old > 1 else ''} still there"),
        (
            available < updated,
            "progressing",
            f"{available} of {updated} updated replicas available",
        ),
        (True, "complete", f"{available} of {desired} replicas updated and available"),
    ]
    return next((state, message) for holds, state, message in states if holds)


def _stuck(
    replicasets: Sequence[Object], things: Iterable[Object], newest: int
) -> tuple[Waiting, ...]:
    """What does not start, of the newest revision."""
    current = [thing for thing in replicasets if number(thing) == newest]
    uids = {thing["metadata"]["uid"] for thing in current}
    found = []
    for thing in current:
        failure = condition(thing.get("status") or {}, "ReplicaFailure")
        if failure.get("status") == "True":
            found.append(
                Waiting(
                    thing["metadata"]["name"], failure.get("reason", ""), failure.get("message", "")
                )
            )
    for thing in things:
        leaving = thing["metadata"].get("deletionTimestamp") or is_finished(thing)
        if leaving or controller(thing).get("uid") not in uids:
            continue
        held = _waiting(thing)
        if held:
            found.append(held)
    return tuple(sorted(found, key=lambda waiting: waiting.name))
