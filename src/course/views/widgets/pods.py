"""The model behind the picture of pods: states, shapes of the feed, what is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from course.core.text import cut

STARTING, READY, CANNOT_START, ENDING, GONE = range(5)
"""What a pod is: not ready, ready, unable to start, terminating, no longer there or finished."""


STATES = ("starting", "ready", "cannot start", "terminating", "gone")
_CLOCK_EVERY = 1.0
_ON_ITS_WAY = re.compile(
    r"|Pending|ContainerCreating|PodInitializing|Init:\d+/\d+|Running|NotReady|Completed|Unknown"
)
"""The words of `kubectl get pods` for a pod that nothing holds."""


class Pod(Protocol):
    """The shape of a pod; see `course.measure.rollout.Pod`."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> str:
        """What it answers with."""

    @property
    def revision(self) -> int:
        """Of the Deployment."""

    @property
    def phase(self) -> str:
        """As `kubectl get pods` puts it."""

    @property
    def ready(self) -> bool:
        """Whether it is."""

    @property
    def terminating(self) -> bool:
        """Whether it is."""

    @property
    def finished(self) -> bool:
        """Whether it has ended for good and is listed all the same."""


class Status(Protocol):
    """The shape of a rollout's status; see `course.measure.rollout.Status`."""

    @property
    def state(self) -> str:
        """`complete`, `progressing`, `paused`, `stalled` or `gone`."""

    @property
    def message(self) -> str:
        """The same in a sentence."""

    @property
    def desired(self) -> int:
        """Replicas asked for."""

    @property
    def version(self) -> str:
        """Of the newest revision."""

    @property
    def revision(self) -> int:
        """The newest."""

    @property
    def previous(self) -> int:
        """The revision to go back to; 0 if there is none."""

    @property
    def waiting(self) -> Sequence[object]:
        """What does not start; each as a sentence."""


class Sample(Protocol):
    """The shape of one moment; see `course.measure.rollout.Sample`."""

    @property
    def at(self) -> float:
        """Seconds since the watch began."""

    @property
    def pods(self) -> Sequence[Pod]:
        """The pods."""

    @property
    def status(self) -> Status:
        """How far the rollout is."""


class Samples(Protocol):
    """The shape of a feed of samples."""

    @property
    def running(self) -> bool:
        """Whether more may come."""

    @property
    def seconds(self) -> float:
        """The feed's own clock."""

    @property
    def trouble(self) -> str:
        """What keeps it from seeing; empty while nothing does."""

    def samples(self, since: int = 0) -> Sequence[Sample]:
        """The samples from a number on."""

    def stop(self) -> object:
        """End it."""


@dataclass
class Bar:
    """A pod's life.

    Args:
        name: the pod's.
        version: its number in the list of versions.
        revision: of the Deployment.
        changes: pairs of seconds and state.
        phase: the last that was seen.
    """

    name: str
    version: int
    revision: int
    changes: list[tuple[float, int]] = field(default_factory=list)
    phase: str = ""

    @property
    def state(self) -> int:
        """The last one."""
        return self.changes[-1][1]


class TimelineModel:
    """Every pod that was seen, and what happened to the rollout."""

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.bars: list[Bar] = []
        self.marks: list[tuple[float, str]] = []
        """Seconds and what began then: a revision, a pause, a stall."""
        self.now = 0.0
        self.status: Status | None = None
        self.trouble = ""
        self._known: dict[tuple[str, str], int] = {}
        self._seen = 0
        self._sent_bars: dict[int, int] = {}
        self._sent_marks = 0
        self._fresh = False
        self._clock_at = -math.inf

    # -- in

    def read(self, feed: Samples) -> None:
        """Take the samples that are new."""
        samples = feed.samples(since=self._seen)
        self._seen += len(samples)
        for sample in samples:
            self.add(sample)
        self.now = max(self.now, feed.seconds) if feed.running else self.now
        if feed.trouble != self.trouble:
            self.trouble, self._fresh = feed.trouble, True

    def add(self, sample: Sample) -> None:
        """Take one sample."""
        self.now = max(self.now, sample.at)
        there = set()
        # Pods that no node takes are Pending to kubectl; the rollout's status names them.
        held = {str(waiting).partition(":")[0] for waiting in sample.status.waiting}
        for pod in sample.pods:
            bar = self._bar(pod)
            there.add(id(bar))
            bar.phase = pod.phase
            if pod.revision:
                bar.revision = pod.revision
            state = _state(pod, pod.name in held)
            if not bar.changes or bar.state != state:
                bar.changes.append((sample.at, state))
        for bar in self.bars:
            if id(bar) not in there and bar.state != GONE:
                bar.changes.append((sample.at, GONE))
        self._mark(sample)
        self.status, self._fresh = sample.status, True

    def _bar(self, pod: Pod) -> Bar:
        # A pod may come back under its name with another version.
        key = (pod.name, pod.version)
        if key not in self._known:
            if pod.version not in self.versions:
                self.versions.append(pod.version)
            self._known[key] = len(self.bars)
            self.bars.append(Bar(pod.name, self.versions.index(pod.version) + 1, pod.revision))
        return self.bars[self._known[key]]

    def _mark(self, sample: Sample) -> None:
        before, now = self.status, sample.status
        if before is None:
            return
        if now.revision != before.revision and now.revision:
            self.marks.append((sample.at, f"revision {now.revision}: {now.version}"))
        if now.state == before.state:
            return
        if now.state in ("paused", "stalled", "gone", "complete"):
            self.marks.append((sample.at, now.state))
        elif before.state == "paused":
            self.marks.append((sample.at, "resumed"))

    # -- out

    def changes(self, seconds: float) -> dict[str, Any]:
        """See `Model.changes`."""
        out: dict[str, Any] = {}
        if self._fresh:
            bars = [
                [i, *self._packed(bar, self._sent_bars.get(i, 0))]
                for i, bar in enumerate(self.bars)
                if len(bar.changes) > self._sent_bars.get(i, 0)
            ]
            out["delta"] = {"now": self.now, "bars": bars, "marks": self.marks[self._sent_marks :]}
            out["delta"] |= {"versions": list(self.versions), "desired": self._desired()}
            self._sent()
            out |= {"text": self.text(), "rows": [list(row) for row in self.table()[1]]}
            news = self.marks[-1][1] if self.marks else ""
            if news:
                out["announcement"] = f"{news}, at {self.marks[-1][0]:.0f} s"
        elif seconds - self._clock_at >= _CLOCK_EVERY:
            out["clock"] = self.now
        if out:
            self._clock_at = seconds
        return out

    def frame(self) -> dict[str, Any]:
        """See `Model.frame`."""
        self._sent()
        return {
            "now": self.now,
            "bars": [[i, *self._packed(bar, 0)] for i, bar in enumerate(self.bars)],
            "marks": [list(mark) for mark in self.marks],
            "versions": list(self.versions),
            "desired": self._desired(),
        }

    def _sent(self) -> None:
        self._fresh = False
        self._sent_bars = {i: len(bar.changes) for i, bar in enumerate(self.bars)}
        self._sent_marks = len(self.marks)

    def _packed(self, bar: Bar, since: int) -> list[Any]:
        changes = [[round(at, 2), state] for at, state in bar.changes[since:]]
        return [bar.name, bar.version, bar.revision, since, changes]

    def _desired(self) -> int:
        return self.status.desired if self.status else 0

    def text(self) -> str:
        """See `Model.text`."""
        if self.trouble:
            return f"not seeing the cluster: {self.trouble}"
        if self.status is None:
            return "nothing seen yet"
        held = "".join(f"; {cut(str(waiting), 140)}" for waiting in list(self.status.waiting)[:1])
        return f"{self.status.state}: {self.status.message}{held}"

    def table(self) -> tuple[list[str], list[list[str]]]:
        """See `Model.table`."""
        header = ["version", "revision", "ready", "starting", "cannot start", "terminating", "gone"]
        groups: dict[tuple[int, int], list[int]] = {}
        for bar in self.bars:
            counts = groups.setdefault((bar.revision, bar.version), [0] * len(STATES))
            counts[bar.state] += 1
        rows = []
        for (revision, version), counts in sorted(groups.items()):
            order = (READY, STARTING, CANNOT_START, ENDING, GONE)
            rows.append(
                [self.versions[version - 1], str(revision), *(str(counts[i]) for i in order)]
            )
        return header, rows


def _state(pod: Pod, held: bool) -> int:
    if pod.finished:
        return GONE
    if pod.terminating:
        return ENDING
    if pod.ready:
        return READY
    return CANNOT_START if held or not _ON_ITS_WAY.fullmatch(pod.phase) else STARTING
