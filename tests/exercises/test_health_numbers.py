"""What users-and-health-4 says of numbers, on quiet and on busy machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from course.exercises import health_numbers
from course.exercises.kit.facts import judge
from course.exercises.kit.pace import Pace
from course.exercises.kit.reply import Heard, Reply, Running
from course.exercises.kit.side_by_side import side_by_side
from course.exercises.kit.verdict import Wrong
from course.measure.probes import Watch
from tests.exercises.simulated import Container, Here, Machine, busy, numbers, quiet

START = "--start-period=20s --start-interval=1s"
RIGHT = f"--interval=1s --timeout=2s --retries=2 {START}"
TRIES = 20


@dataclass
class Atlas(Container):
    """A container of atlas.

    Args:
        loads: seconds for which it loads.
        node: whether its probe is a program of Node's.
    """

    loads: float = 0
    node: bool = False
    waits: bool = False
    hangs: float = float("inf")
    loses: float = float("inf")

    def finds(self, at: float) -> tuple[float, int]:
        took = self.machine.takes(self.machine.node) if self.node else 0.01
        asks = at + took
        if asks < self.listens + self.loads:
            if not self.waits:
                return took, 1
            self.waits = False  # it remembers that it has waited, also when it starts again
            return self.listens + self.loads - at + 0.3, 0
        if asks >= self.hangs:
            return float("inf"), 0
        if asks >= self.loses:
            if at + self.probe_timeout() <= self.machine.now:
                self.loses = float("inf")
            return float("inf"), 0
        return took + 0.3, 0

    def hear(self, path: str, method: str = "GET", *_: object, wait: float = 10) -> Heard:
        self.machine.asked()
        if self.machine.now < self.listens and not wait:
            return Running()
        self.machine.now = max(self.machine.now, self.listens)
        if path == "/lose-one":
            self.loses = self.machine.now
        if path == "/hang":
            self.hangs = self.machine.now
        if self.machine.now < self.listens + self.loads:
            return Reply(503, "loading\n")
        if place := re.fullmatch(r"/height\?x=(\d+)&y=(\d+)", path):
            return Reply(200, f"{(31 * int(place[1]) + 17 * int(place[2])) % 4000} m\n")
        self.machine.sleep(0.3 if path == "/health" else 0)
        return Reply(200, "ok\n")


def verdict(
    monkeypatch: pytest.MonkeyPatch, machine: Machine, text: str, own: float = 5.5, **more: Any
) -> str:
    """The cause that the check names on this machine; empty if the numbers are right."""

    def make(env: dict[str, str] | None, **_: object) -> Atlas:
        loads = int(env["LOADS_MS"]) / 1000 if env else own
        return Atlas(machine, numbers(text), loads=loads, **more)

    machine.is_here(monkeypatch)
    lab, began = Here("users-and-health-4", make), machine.now
    control: Any = Container(machine, numbers("--interval=1s"))
    pace = Pace(Watch(control))
    runs = (
        health_numbers._slow(lab, pace),
        health_numbers._quick(lab, pace),
        health_numbers._own(lab),
    )
    try:
        judge(lab, side_by_side(*runs, pause=health_numbers._POLL))
    except Wrong as wrong:
        return wrong.cause
    finally:
        assert machine.now - began < 40
    return ""


WRONG = {
    "--timeout=2s --retries=2": "first-probe-late",
    "--interval=1s --timeout=2s --retries=2": "unhealthy-at-start",
    "--interval=1s --timeout=2s --retries=8": "unhealthy-at-start",
    f"{RIGHT} --start-period=5s": "unhealthy-at-start",
    f"{RIGHT} --start-interval=5s": "healthy-late",
    f"{RIGHT} --retries=1": "one-lost-answer",
    f"{RIGHT} --retries=8": "retries-many",
    f"{RIGHT} --retries=3": "retries-many",
    f"{RIGHT} --timeout=30s": "timeout-long",
    f"{RIGHT} --interval=15s": "interval-long",
    f"{RIGHT} --timeout=100ms": "timeout-short",
}
VALID = [
    RIGHT,
    "--interval=500ms --timeout=1500ms --retries=3 --start-period=60s --start-interval=500ms",
    "--interval=2s --timeout=2s --retries=2 --start-period=10s --start-interval=2s",
    "--interval=3s --timeout=1s --retries=2 --start-period=8s --start-interval=7s",
]


@pytest.mark.parametrize("machine", [quiet, busy])
@pytest.mark.parametrize(("text", "cause"), [*WRONG.items(), *((one, "") for one in VALID)])
def test_numbers_get_their_verdict_in_nine_of_ten_tries(
    monkeypatch: pytest.MonkeyPatch, machine: Any, text: str, cause: str
) -> None:
    found = [verdict(monkeypatch, machine(seed), text) for seed in range(TRIES)]
    assert found.count(cause) >= 0.9 * TRIES, found


@pytest.mark.parametrize("machine", [quiet, busy])
def test_a_probe_of_nodes_gets_its_verdict_too(
    monkeypatch: pytest.MonkeyPatch, machine: Any
) -> None:
    found = [verdict(monkeypatch, machine(seed), RIGHT, node=True) for seed in range(TRIES)]
    assert found.count("") >= 0.9 * TRIES, found


def test_an_atlas_that_is_told_to_load_for_less_in_its_image_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [verdict(monkeypatch, quiet(seed), RIGHT, own=1.5) for seed in range(TRIES)]
    assert found == ["loads-less"] * TRIES


def test_a_probe_that_waits_at_its_first_start_only_is_seen_at_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "--interval=1500ms --timeout=10s --retries=2"
    found = [verdict(monkeypatch, quiet(seed), text, waits=True) for seed in range(TRIES)]
    assert found == ["unhealthy-at-start"] * TRIES
