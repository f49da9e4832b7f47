"""What users-and-health-3 says of health checks, on quiet and on busy machines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from course.exercises import health_checks
from course.exercises.kit.facts import judge
from course.exercises.kit.pace import Pace
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.verdict import Wrong
from course.measure.probes import Watch
from tests.exercises.simulated import Container, Here, Machine, busy, numbers, quiet

RIGHT = "--interval=1s --timeout=3s --retries=2"


@dataclass
class Queue(Container):
    """The queue, in whose container a probe of the courier finds nobody."""

    closed: float = float("inf")
    alone: int = 1

    def __post_init__(self) -> None:
        self.taken: list[str] = []
        super().__post_init__()

    def finds(self, at: float) -> tuple[float, int]:
        return self.machine.takes(self.machine.node), self.alone

    def hear(self, path: str, method: str = "GET", *_: object, **__: object) -> Heard:
        self.machine.asked()
        if method == "DELETE":
            self.closed = self.machine.now
        return Reply(200, json.dumps(self.taken))


@dataclass
class Courier(Container):
    """The courier; its probe reads its status, or does not."""

    queue: Queue | None = None
    reads: bool = True
    hands_over: bool = True
    promises: bool = False
    says: str = "gone"
    posts: bool = False
    lives: float = float("inf")

    def __post_init__(self) -> None:
        self.posted: list[float] = []
        super().__post_init__()

    def finds(self, at: float) -> tuple[float, int]:
        assert self.queue
        asks = at + self.machine.takes(self.machine.node)
        if self.posts and self.next not in self.posted:
            self.posted.append(self.next)
            self.queue.taken.append("")
        gone = (self.reads and asks >= self.queue.closed) or asks - self.since > self.lives
        self.promises = self.promises and not gone
        return asks + 0.05 - at, int(gone or asks < self.listens)

    def hear(self, path: str, method: str = "GET", body: bytes = b"", **_: object) -> Heard:
        assert self.queue
        self.machine.asked()
        self.machine.now = max(self.machine.now, self.listens)
        if path == "/status":
            return Reply(200, f'{{"queue":"{self.says}"}}')
        if self.machine.now >= self.queue.closed and self.hands_over and not self.promises:
            return Reply(503, "no queue\n")
        self.queue.taken += [body.decode()] if self.hands_over else []
        return Reply(202, "handed over\n")

    def log(self) -> str:
        return "courier listens on 3000\nGET /status\n"


def verdict(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, text: str, alone: int = 1, **more: Any
) -> str:
    """The cause that the check names on this machine; empty if the answer is right."""
    made: list[Queue] = []

    def make(port: int, closed: str, **given: Any) -> Container:
        assert closed == "a network"
        if port == 3000:
            return Courier(machine, numbers(text), queue=made[0], **more)
        assert given["networking_config"] == {"a network": "queue"}
        assert "createServer" in given["entrypoint"][-1]
        made.append(Queue(machine, numbers(text), alone=alone))
        return made[0]

    @contextlib.contextmanager
    def pace(_: object) -> Iterator[Pace]:
        control: Any = Container(machine, numbers("--interval=1s"))
        yield Pace(Watch(control))

    machine.is_here(monkeypatch)
    monkeypatch.setattr(health_checks, "pace", pace)
    lab = Here("users-and-health-3", make)
    try:
        judge(lab, health_checks.CourierTellsTheTruth().observe(lab))
    except Wrong as wrong:
        return wrong.cause
    assert lab.notes
    return ""


@pytest.mark.parametrize("machine", [quiet, busy])
@pytest.mark.parametrize(
    ("text", "cause", "more"),
    [
        (RIGHT, "", {}),
        ("--interval=2s --timeout=2s --retries=1", "", {}),
        ("--timeout=3s --retries=2", "no-probe-yet", {}),
        ("--interval=1s --retries=20", "retries-many", {}),
        ("--interval=2s --retries=4", "retries-many", {}),
        (RIGHT, "status-not-read", {"reads": False}),
        (RIGHT, "stale-status", {"reads": False, "says": "up"}),
        (RIGHT, "always-healthy", {"reads": False, "alone": 0}),
        (RIGHT, "asks-the-queue-only", {"alone": 0}),
        (RIGHT, "parcel-lost", {"hands_over": False}),
        (RIGHT, "parcel-lost", {"promises": True}),
        (RIGHT, "probe-delivers", {"posts": True}),
    ],
)
def test_an_answer_gets_its_verdict_in_nine_of_ten_tries(
    monkeypatch: pytest.MonkeyPatch, machine: Any, text: str, cause: str, more: dict[str, Any]
) -> None:
    found = [verdict(monkeypatch, machine(seed), text, **more) for seed in range(20)]
    assert found.count(cause) >= 18, found


def test_a_probe_that_fails_by_its_age_does_not_tell_of_the_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = {"reads": False, "lives": 5}
    found = [verdict(monkeypatch, quiet(seed), RIGHT, **answer) for seed in range(20)]
    assert found == ["status-not-read"] * 20
