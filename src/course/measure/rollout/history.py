"""What a Deployment and its pods have been, from events in the order in which they were read.

Pure: no thread, no clock and no API. `feed` reads the API and hands over what it reads, each with
the moment at which it was read, as a reflector of client-go fills a store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from course.core.errors import CourseError
from course.measure.kube_api import ApiError, Object, Query
from course.measure.rollout import status as reading
from course.measure.rollout.status import Pod, Status

KINDS = ("deployments", "replicasets", "pods")
_SELECTED = ("replicasets", "pods")
_JUMP = 2.0
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Sample:
    """A Deployment at one moment.

    Args:
        at: seconds since the watch began.
        pods: its pods, in the order in which they were made; those that have finished among them.
        revision: the Deployment's newest.
        status: how far its rollout is.
    """

    at: float
    pods: tuple[Pod, ...]
    revision: int
    status: Status


@dataclass(frozen=True)
class Gap:
    """A time in which changes may have come late or been missed.

    Args:
        at: seconds since the watch began.
        seconds: how long it lasted.
        why: what was seen of the cause.
    """

    at: float
    seconds: float
    why: str


@dataclass(frozen=True)
class Moment:
    """When something was read.

    Args:
        at: seconds since the watch began, by a clock that stops while the machine sleeps.
        wall: seconds since the epoch, by a clock that does not.
    """

    at: float
    wall: float


class History:
    """The samples and gaps of one watch.

    Args:
        name: the Deployment's.
        began: the wall clock when the watch began, in seconds since the epoch.
    """

    def __init__(self, name: str, began: float) -> None:
        self.name = name
        self.samples: list[Sample] = []
        """The first one comes once each kind has been listed."""
        self.gaps: list[Gap] = []
        self.trouble = ""
        """What keeps changes from being seen now; empty while nothing does."""
        self.queries: dict[str, Query] = {"deployments": {"fieldSelector": f"metadata.name={name}"}}
        """What to list and watch of each kind; what a Deployment selects is known once it is."""
        self._objects: dict[str, dict[str, Object]] = {}
        self._lost: dict[str, CourseError] = {}
        self._lost_at = 0.0
        self._uid = ""
        self._ahead = began

    def is_listed(self, kind: str) -> bool:
        """Whether a kind has been listed with its present query."""
        return kind in self._objects

    @property
    def refusal(self) -> ApiError | None:
        """The API's answer to a call that nobody may make here: no waiting helps."""
        errors = [error for error in self._lost.values() if isinstance(error, ApiError)]
        return next((error for error in errors if error.code in _REFUSED), None)

    def status_of(self, deployment: Object) -> Status:
        """How far a rollout is, by the ReplicaSets and pods that are known.

        Args:
            deployment: the Deployment; it may be newer than what is known of it.
        """
        sets = reading.owned(self._known("replicasets"), str(deployment["metadata"]["uid"]))
        return reading.status(deployment, sets, self._known("pods"))

    # -- events

    def listed(self, kind: str, query: Query, items: list[Object], now: Moment) -> None:
        """Take a list of all there is of a kind; it ends what was lost of that kind.

        Args:
            kind: one of `KINDS`.
            query: what was asked for; an answer to a former query is left out.
            items: the objects.
            now: when it was read.
        """
        if self.queries[kind] != query:
            return
        self._objects[kind] = {thing["metadata"]["name"]: thing for thing in items}
        if kind == "deployments":
            self._select(items, now)
        self._note(now)
        if self._lost.pop(kind, None) and not self._lost:
            self.gaps.append(Gap(round(self._lost_at, 3), now.at - self._lost_at, self.trouble))
            self.trouble = ""

    def changed(self, kind: str, thing: Object, now: Moment, *, gone: bool = False) -> None:
        """Take one object's change.

        Args:
            kind: one of `KINDS`; what comes before its list is left out.
            thing: the object as it is now, or was last.
            now: when it was read.
            gone: it has been deleted.
        """
        if not self.is_listed(kind):
            return
        name, known = thing["metadata"]["name"], self._objects[kind]
        if not gone:
            known[name] = thing
            if kind == "deployments":
                self._select([thing], now)
        elif _uid(known.get(name)) == _uid(thing):  # not one that came under the same name
            known.pop(name, None)
        self._note(now)

    def lost(self, kind: str, error: CourseError, now: Moment) -> None:
        """Take that changes of a kind are not seen, until it has been listed again.

        Args:
            kind: one of `KINDS`.
            error: what was seen of the cause.
            now: when that was.
        """
        if not self._lost:
            self._lost_at = now.at
        self._lost[kind] = error
        self.trouble = error.saw

    def tick(self, now: Moment) -> None:
        """Take the time; a wall clock that is further ahead than before tells that it slept.

        Args:
            now: both clocks.
        """
        slept = now.wall - now.at - self._ahead
        self._ahead += slept
        if slept > _JUMP:
            self.gaps.append(Gap(now.at, slept, f"the machine slept for {slept:.0f} s"))

    # -- state

    def _select(self, deployments: list[Object], now: Moment) -> None:
        """Follow what the Deployment selects: it may have been made anew with another selector."""
        if not deployments:
            return
        query = {"labelSelector": reading.selector(deployments[0])}
        for kind in _SELECTED:
            former = self.queries.get(kind)
            if former == query:
                continue
            self.queries[kind] = query
            self._objects.pop(kind, None)
            if former is not None:
                why = f"Deployment {self.name} was made anew with another selector"
                self.lost(kind, CourseError(why), now)

    def _note(self, now: Moment) -> None:
        """Keep a sample if anything that it tells has changed."""
        if not all(self.is_listed(kind) for kind in KINDS):
            return
        sample = self._sample(now)
        if not self.samples or _content(sample) != _content(self.samples[-1]):
            self.samples.append(sample)

    def _sample(self, now: Moment) -> Sample:
        deployment = self._objects["deployments"].get(self.name)
        if deployment is not None:
            self._uid = str(deployment["metadata"]["uid"])  # it may have been made anew
        sets = reading.owned(self._known("replicasets"), self._uid)
        pods = reading.pods(self._known("pods"), sets, datetime.fromtimestamp(now.wall, UTC))
        status = reading.NO_DEPLOYMENT if deployment is None else self.status_of(deployment)
        return Sample(round(now.at, 3), pods, status.revision, status)

    def _known(self, kind: str) -> Iterable[Object]:
        return self._objects.get(kind, {}).values()


def _uid(thing: Object | None) -> str:
    return str(thing["metadata"].get("uid", "")) if thing else ""


def _content(sample: Sample) -> Any:
    """What a sample tells, but for the time."""
    return tuple(replace(pod, age=0.0) for pod in sample.pods), sample.status
