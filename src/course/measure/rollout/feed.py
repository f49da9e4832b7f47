"""A Deployment's history as it happens, from watches that outlive a lost connection.

Here are the threads, the clocks and the calls; what an event means is `history`'s.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from course.core.errors import CourseError
from course.measure.kube_api import Api, ApiError, Events, Object, no_deployment
from course.measure.rollout.history import KINDS, Gap, History, Moment, Sample
from course.measure.rollout.status import Status

_WATCH_SECONDS = 20.0
_PAUSES = (0.2, 0.5, 1.0, 2.0)
_TICK = 0.5
_LOOK = 0.5

_Answer = TypeVar("_Answer")


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
        self._api = api
        self._clock, self._wall = clock, wall
        self._maximum = maximum
        self._changed = threading.Condition()
        self._events = 0
        self._end = threading.Event()
        self._open: dict[str, Events] = {}
        self.began = wall()
        """When the feed's clock stood at 0, in seconds since the epoch."""
        self._zero = clock()
        self._history = History(name, self.began)
        versions = {}
        for kind in KINDS:
            found, versions[kind] = self._list(kind)
            if kind == "deployments" and not found:
                raise no_deployment(api, name)
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

    @property
    def gaps(self) -> list[Gap]:
        """The times in which changes may have come late or been missed."""
        with self._changed:
            return list(self._history.gaps)

    @property
    def trouble(self) -> str:
        """What keeps the feed from seeing changes now; empty while nothing does."""
        return self._history.trouble

    @property
    def refusal(self) -> ApiError | None:
        """See `History.refusal`."""
        with self._changed:
            return self._history.refusal

    def samples(self, since: int = 0) -> list[Sample]:
        """The samples from a number on; the first, number 0, is the state at the beginning."""
        with self._changed:
            return self._history.samples[since:]

    def status_of(self, deployment: Object) -> Status:
        """See `History.status_of`."""
        with self._changed:
            return self._history.status_of(deployment)

    def wait(self, seen: int, timeout: float) -> int:
        """Wait until something has been read or lost, or the feed has ended.

        Args:
            seen: the number that the last call gave; -1 at first, which waits for nothing.
            timeout: deadline in seconds.

        Returns:
            A number for the next call.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._events > seen or not self.running, timeout)
            return self._events

    def until(self, ask: Callable[[], _Answer], wait: float) -> _Answer:
        """Ask at each change, and twice a second, until the answer is true or time is over.

        Args:
            ask: what is asked; what it raises ends the wait.
            wait: deadline in seconds.

        Returns:
            The last answer.
        """
        deadline, seen = self._clock() + wait, self._events
        while not (answer := ask()) and (left := deadline - self._clock()) > 0 and self.running:
            seen = self.wait(seen, min(_LOOK, left))
        return answer

    def stop(self) -> None:
        """End it; its samples stay."""
        self._end.set()
        with self._changed:
            streams = list(self._open.values())
            self._changed.notify_all()
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
                if version is None or not self._history.is_listed(kind):
                    _, version = self._list(kind)
                version = self._watch(kind, version)
                failures = 0
            except CourseError as error:
                self._lose(kind, error)
                version = None
                self._end.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])
                failures += 1
            except Exception as error:  # a thread that dies unseen would look like silence
                self._lose(kind, CourseError(f"{type(error).__name__}: {error}"))
                version = None
                self._end.wait(_PAUSES[-1])

    def _list(self, kind: str) -> tuple[list[Object], str]:
        """The objects, and the version from which a watch goes on."""
        with self._changed:
            query = self._history.queries[kind]
        listed = self._api.select(kind, query)
        with self._handing_over() as now:
            self._history.listed(kind, query, listed["items"], now)
        return listed["items"], str(listed["metadata"]["resourceVersion"])

    def _watch(self, kind: str, version: str) -> str:
        """One watch to its end.

        Returns:
            Where the next one goes on.

        Raises:
            ApiError: the API ended it, as a rule because it no longer knows the version.
        """
        with self._changed:
            query = self._history.queries[kind]
        stream = self._api.watch(kind, query, version, _WATCH_SECONDS)
        with self._changed:
            self._open[kind] = stream
            outdated = not self._history.is_listed(kind)
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
                with self._handing_over() as now:
                    self._history.changed(kind, thing, now, gone=event["type"] == "DELETED")
        return version

    def _lose(self, kind: str, error: CourseError) -> None:
        with self._handing_over() as now:
            self._history.lost(kind, error, now)

    def _keep(self) -> None:
        """End in time; let the history notice that the machine slept."""
        while not self._end.wait(min(_TICK, self._maximum)):
            with self._changed:
                self._history.tick(self._now())
            if self.seconds >= self._maximum:
                break
        self.stop()

    @contextlib.contextmanager
    def _handing_over(self) -> Iterator[Moment]:
        """Hand an event to the history, wake who waits for one, end watches of another query."""
        with self._changed:
            yield self._now()
            self._events += 1
            self._changed.notify_all()
            outdated = [s for kind, s in self._open.items() if not self._history.is_listed(kind)]
        for stream in outdated:
            stream.close()

    def _now(self) -> Moment:
        return Moment(self.seconds, self._wall())
