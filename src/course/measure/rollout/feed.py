"""A Deployment's pods as they change, from watches that outlive a lost connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from course.core.errors import CourseError
from course.measure.cluster import Api, ApiError, Events, Object, Query
from course.measure.rollout import status as reading
from course.measure.rollout.status import Pod, Status

KINDS = ("deployments", "replicasets", "pods")
_SELECTED = ("replicasets", "pods")
_WATCH_SECONDS = 20.0
_PAUSES = (0.2, 0.5, 1.0, 2.0)
_TICK = 0.5
_JUMP = 2.0


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


class Feed:
    """What `Rollout.watch` gives: a sample for each change, until `stop` or the deadline.

    Args:
        api: where to look.
        name: the Deployment's.
        maximum: seconds after which it ends by itself.
        clock: monotonic seconds.
        wall: seconds since the epoch, which go on while a machine sleeps.

    Raises:
        CourseError: there is no such Deployment, or no API answers.
    """

    def __init__(
        self,
        api: Api,
        name: str,
        *,
        maximum: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.gaps: list[Gap] = []
        self.trouble = ""
        """What keeps the feed from seeing changes now; empty while nothing does."""
        self._api = api
        self._clock, self._wall = clock, wall
        self._maximum = maximum
        self._lock = threading.RLock()
        self._end = threading.Event()
        self._samples: list[Sample] = []
        self._open: dict[str, Events] = {}
        self._lost: dict[str, float] = {}
        self._objects: dict[str, dict[str, Object]] = {kind: {} for kind in KINDS}
        self._stale: set[str] = set()
        deployment = api.get("deployments", name)
        self._uid = str(deployment["metadata"]["uid"])
        self._queries: dict[str, Query] = {
            "deployments": {"fieldSelector": f"metadata.name={name}"},
            **dict.fromkeys(_SELECTED, _query(deployment)),
        }
        self.began = wall()
        """When the feed's clock stood at 0, in seconds since the epoch."""
        self._zero = clock()
        versions = {kind: self._list(kind) for kind in KINDS}
        self._lost, self.trouble = {}, ""  # nothing was missed before the first sample
        self._note()
        self._threads = [
            threading.Thread(
                target=self._follow, args=(kind, versions[kind]), name=f"watch-{kind}", daemon=True
            )
            for kind in KINDS
        ]
        self._threads.append(threading.Thread(target=self._keep, name="watch-end", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        """Whether it still watches."""
        return not self._end.is_set()

    @property
    def seconds(self) -> float:
        """The feed's clock: seconds since the watch began."""
        return self._clock() - self._zero

    def samples(self, since: int = 0) -> list[Sample]:
        """The samples from a number on; the first, number 0, is the state at the beginning."""
        with self._lock:
            return self._samples[since:]

    def stop(self) -> None:
        """End it; its samples stay."""
        self._end.set()
        with self._lock:
            streams = list(self._open.values())
        for stream in streams:
            stream.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=2)

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -- threads

    def _follow(self, kind: str, since: str) -> None:
        """Watch one kind; list it anew when its watch was lost."""
        version: str | None = since
        failures = 0
        while not self._end.is_set():
            try:
                if version is None or kind in self._stale:
                    version = self._list(kind)
                    self._note()
                    self._found(kind)
                version = self._watch(kind, version)
                failures = 0
            except CourseError as error:
                self._miss(kind, error.saw)
                version = None
                self._end.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            except Exception as error:  # a thread that dies unseen would look like silence
                self._miss(kind, f"{type(error).__name__}: {error}")
                version = None
                self._end.wait(_PAUSES[-1])

    def _watch(self, kind: str, version: str) -> str:
        """One watch to its end.

        Returns:
            Where the next one goes on.

        Raises:
            ApiError: the API ended it, as a rule because it no longer knows the version.
        """
        stream = self._api.watch(kind, self._queries[kind], version, _WATCH_SECONDS)
        with self._lock:
            self._open[kind] = stream
            outdated = kind in self._stale
        if outdated or self._end.is_set():
            stream.close()
        for event in stream:
            thing = event["object"]
            if event["type"] == "ERROR":
                code = int(thing.get("code", 0))
                why = thing.get("message") or f"status {code}"
                raise ApiError(code, f"the API ended the watch: {why}")
            version = thing["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._apply(kind, thing, gone=event["type"] == "DELETED")
        return version

    def _keep(self) -> None:
        """End in time; notice that the machine slept."""
        before = self._wall() - self._clock()
        while not self._end.wait(min(_TICK, self._maximum)):
            slept = self._wall() - self._clock() - before
            before += slept
            if slept > _JUMP:
                with self._lock:
                    why = f"the machine slept for {slept:.0f} s"
                    self.gaps.append(Gap(self.seconds, slept, why))
            if self.seconds >= self._maximum:
                break
        self.stop()

    # -- state

    def _list(self, kind: str) -> str:
        with self._lock:
            self._stale.discard(kind)
            query = self._queries[kind]
        listed = self._api.select(kind, query)
        with self._lock:
            # A selector that changed meanwhile has made this kind stale again.
            found = listed["items"] if self._queries[kind] == query else []
            self._objects[kind] = {thing["metadata"]["name"]: thing for thing in found}
            outdated = self._selected_by(found) if kind == "deployments" else []
        for stream in outdated:
            stream.close()
        return str(listed["metadata"]["resourceVersion"])

    def _apply(self, kind: str, thing: Object, *, gone: bool) -> None:
        name = thing["metadata"]["name"]
        outdated: list[Events] = []
        with self._lock:
            known = self._objects[kind]
            if not gone:
                known[name] = thing
                outdated = self._selected_by([thing]) if kind == "deployments" else []
            elif _uid(known.get(name)) == _uid(thing):  # not one that came under the same name
                known.pop(name, None)
            self._note()
        for stream in outdated:
            stream.close()

    def _selected_by(self, deployments: list[Object]) -> list[Events]:
        """Follow what the Deployment selects: it may have been made anew with another selector.

        Returns:
            The watches that ask for what the former one selected, to be closed.
        """
        query = _query(deployments[0]) if deployments else None
        if query is None or all(self._queries[kind] == query for kind in _SELECTED):
            return []
        for kind in _SELECTED:
            self._queries[kind] = query
            self._objects[kind] = {}
            self._stale.add(kind)
            self._miss(kind, f"Deployment {self.name} was made anew with another selector")
        return [self._open[kind] for kind in _SELECTED if kind in self._open]

    def _note(self) -> None:
        """Keep a sample if anything that it tells has changed."""
        with self._lock:
            sample = self._sample()
            if not self._samples or _told(sample) != _told(self._samples[-1]):
                self._samples.append(sample)

    def _sample(self) -> Sample:
        deployment = self._objects["deployments"].get(self.name)
        if deployment is not None:
            self._uid = str(deployment["metadata"]["uid"])  # it may have been made anew
        sets = reading.owned(self._objects["replicasets"].values(), self._uid)
        things = self._objects["pods"].values()
        found = reading.pods(things, sets, datetime.fromtimestamp(self._wall(), UTC))
        status = reading.status(deployment, sets, things) if deployment else reading.GONE
        return Sample(round(self.seconds, 3), found, status.revision, status)

    def _miss(self, kind: str, saw: str) -> None:
        with self._lock:
            self._lost.setdefault(kind, self.seconds)
            self.trouble = saw

    def _found(self, kind: str) -> None:
        with self._lock:
            began = self._lost.pop(kind, None)
            if began is None:
                return
            if not self._lost:
                self.gaps.append(Gap(round(began, 3), self.seconds - began, self.trouble))
                self.trouble = ""


def _query(deployment: Object) -> Query:
    return {"labelSelector": reading.selector(deployment)}


def _uid(thing: Object | None) -> str:
    return str(thing["metadata"].get("uid", "")) if thing else ""


def _told(sample: Sample) -> Any:
    """What a sample tells, but for the time."""
    return tuple(replace(pod, age=0.0) for pod in sample.pods), sample.status
