"""Feeds that play a script, in the shapes that the widgets know: for tests without a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    intended: float
    late_ms: float = 0.1
    latency_ms: float = 4.0
    version: str = "1.0.0"
    error: str = ""


@dataclass(frozen=True)
class Batch:
    at: float
    answers: tuple[Answer, ...]
    unsent: tuple[float, ...] = ()
    blind: tuple[tuple[float, float], ...] = ()


def rolling(number: int, at: float) -> Answer:
    """An update from 1.0.0 to 1.1.0 in the 5th to the 15th second, with three kinds of failure."""
    spread = (number * 7919 % 1000) / 1000
    share = min(max((at - 5) / 10, 0.0), 1.0)
    latency = 3 + 4 * spread + (40 if number % 97 == 0 else 0)
    error = ""
    if 8.0 <= at < 8.2 and number % 3 == 0:
        error = "refused"
    elif 9.5 <= at < 9.6 and number % 5 == 0:
        error = "502"
    elif 11 <= at < 11.1 and number % 20 == 0:
        error = "timeout"
    version = "1.1.0" if spread < share else "1.0.0"
    return Answer(at, 0.1, latency, "" if error in ("refused", "timeout") else version, error)


@dataclass
class PlayedRun:
    """A generator's run.

    Args:
        seconds: how long it runs.
        rate: requests a second.
        answer: how a request of a number, at a time, ends.
        clock: seconds since its start.
    """

    seconds: float = 20.0
    rate: int = 500
    answer: Callable[[int, float], Answer] = rolling
    clock: Callable[[], float] = field(default_factory=lambda: _since(time.monotonic()))
    stopped: float | None = None

    @property
    def now(self) -> float:
        return min(self.clock(), self.seconds if self.stopped is None else self.stopped)

    @property
    def running(self) -> bool:
        return self.stopped is None and self.clock() < self.seconds

    def batches(self, since: int = 0) -> list[Batch]:
        each = round(self.rate * 0.1)
        made = []
        for number in range(since, int(self.now / 0.1 + 1e-6)):
            first = number * each
            answers = (self.answer(i, i / self.rate) for i in range(first, first + each))
            made.append(Batch(number * 0.1, tuple(answers)))
        return made

    def stop(self) -> None:
        self.stopped = self.now


def _since(began: float) -> Callable[[], float]:
    return lambda: time.monotonic() - began


@dataclass(frozen=True)
class Pod:
    name: str
    version: str = "1.0.0"
    revision: int = 1
    phase: str = "Running"
    ready: bool = True
    terminating: bool = False
    finished: bool = False


@dataclass(frozen=True)
class Status:
    state: str = "complete"
    message: str = "3 of 3 replicas updated and available"
    desired: int = 3
    version: str = "1.0.0"
    revision: int = 1
    previous: int = 0
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    at: float
    pods: tuple[Pod, ...]
    status: Status


OLD = ("shop-5d9c7b-k2x8p", "shop-5d9c7b-w7q4d", "shop-5d9c7b-zz9tl")
NEW = ("shop-7f4b6d-b8m2c", "shop-7f4b6d-h5j6n", "shop-7f4b6d-r3v9s")


def update(seconds: float = 12.0) -> list[Sample]:
    """Three pods replaced one by one, a pause in the middle."""
    pods = {name: Pod(name) for name in OLD}
    samples = [Sample(0.0, tuple(pods.values()), Status())]
    step = seconds / 4

    def add(at: float, **changes: object) -> None:
        fields = {
            "state": "progressing",
            "message": f"{sum(n in NEW for n in pods)} of 3 replicas updated",
            "version": "1.1.0",
            "revision": 2,
            "previous": 1,
            **changes,
        }
        samples.append(Sample(round(at, 2), tuple(pods.values()), Status(**fields)))  # type: ignore[arg-type]

    at = step * 0.5
    for number, (old, new) in enumerate(zip(OLD, NEW, strict=True)):
        pods[new] = Pod(new, "1.1.0", 2, "Pending", ready=False)
        add(at)
        pods[new] = Pod(new, "1.1.0", 2)
        add(at + step * 0.4)
        pods[old] = Pod(old, phase="Terminating", terminating=True, ready=True)
        add(at + step * 0.5)
        if number == 1:
            add(at + step * 0.6, state="paused")
            add(at + step * 0.95)
        del pods[old]
        add(at + step * 0.97)
        at += step
    add(at, state="complete", message="3 of 3 replicas updated and available")
    return samples


def stalled() -> list[Sample]:
    """A new pod whose image is not there, and the deadline that notices."""
    held = ("shop-6c8f9d-t4w7x: ImagePullBackOff: Back-off pulling image orders:9.9.9",)
    pods = tuple(Pod(name) for name in OLD)
    bad = Pod("shop-6c8f9d-t4w7x", "9.9.9", 2, "ImagePullBackOff", ready=False)
    new = {"version": "9.9.9", "revision": 2, "previous": 1, "message": "1 of 3 replicas updated"}
    going = Status("progressing", **new, waiting=held)  # type: ignore[arg-type]
    over = Status("stalled", **new, waiting=held)  # type: ignore[arg-type]
    return [
        Sample(0.0, pods, Status()),
        Sample(2.0, (*pods, bad), going),
        Sample(8.0, (*pods, bad), over),
    ]


@dataclass
class PlayedRollout:
    """A watch of a Deployment.

    Args:
        script: what is seen, and when.
        length: seconds after which it ends; by default soon after the last sample.
        clock: seconds since its start.
    """

    script: list[Sample] = field(default_factory=update)
    length: float | None = None
    clock: Callable[[], float] = field(default_factory=lambda: _since(time.monotonic()))
    trouble: str = ""
    stopped: float | None = None

    @property
    def end(self) -> float:
        return self.script[-1].at + 1.0 if self.length is None else self.length

    @property
    def seconds(self) -> float:
        return min(self.clock(), self.end if self.stopped is None else self.stopped)

    @property
    def running(self) -> bool:
        return self.stopped is None and self.clock() < self.end

    def samples(self, since: int = 0) -> list[Sample]:
        return [sample for sample in self.script if sample.at <= self.seconds][since:]

    def stop(self) -> None:
        self.stopped = self.seconds
