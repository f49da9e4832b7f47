"""Docker's health checks, on a machine that is simulated in virtual time.

Each call of Docker, each command in a container and each start of Node takes what it takes on such
a machine; nothing of it takes time here.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Heard, Running
from course.measure.container import Health, Probe, Process
from course.measure.probes import CUT


@dataclass
class Machine:
    """A machine and its clock.

    Args:
        call: seconds that a call of Docker or a request takes, from and to.
        command: seconds until a command in a container runs.
        node: seconds of Node's start.
    """

    call: tuple[float, float]
    command: tuple[float, float]
    node: tuple[float, float]
    random: random.Random
    now: float = 1000.0

    def takes(self, bounds: tuple[float, float]) -> float:
        return self.random.uniform(*bounds)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def asked(self) -> None:
        self.now += self.takes(self.call)

    def is_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let its clock be the one that a check reads, and its seed another one each time."""
        monkeypatch.setattr("time.monotonic", self.monotonic)
        monkeypatch.setattr("time.sleep", self.sleep)
        monkeypatch.setenv("COURSE_SEED", str(self.random.randrange(10**6)))


def quiet(seed: int) -> Machine:
    return Machine((0.003, 0.01), (0.05, 0.12), (0.05, 0.1), random.Random(seed))


def busy(seed: int) -> Machine:
    """Two processors that eight programs want; a command in a container is several programs."""
    return Machine((0.02, 0.25), (0.3, 1.4), (0.2, 0.6), random.Random(seed))


@dataclass
class Container:
    """A container as Docker plays it; what its probe finds is each test's own.

    Args:
        machine: where it runs.
        numbers: of its health check, in seconds; none if it has none.
    """

    machine: Machine
    numbers: dict[str, float]
    probes: list[Probe] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start()

    def finds(self, at: float) -> tuple[float, int]:
        """What a probe that runs then finds: seconds until it ends, and its code."""
        return self.machine.takes(self.machine.node), 0

    def start(self) -> None:
        self.machine.asked()
        self.since = self.machine.now
        self.listens = self.since + self.machine.takes(self.machine.node)
        self.status, self.streak = "starting" if self.numbers else "none", 0
        self.next = self.since + self.wait(self.since) if self.numbers else float("inf")
        self.runs = self.next + self.machine.takes(self.machine.command)

    def wait(self, now: float) -> float:
        early = self.status == "starting" and now - self.since < self.start_period()
        return self.numbers["start-interval" if early else "interval"]

    def play(self) -> None:
        """Let Docker do all that it has done until now."""
        while self.runs <= self.machine.now:
            took, code = self.finds(self.runs)
            if took > self.probe_timeout():
                took, code = self.probe_timeout(), CUT
            end = self.runs + took
            if end > self.machine.now:
                return
            self.probes.append(Probe(self.next, end, code, "gone" if code else "up"))
            if code == 0:
                self.status, self.streak = "healthy", 0
            elif not (self.status == "starting" and self.next - self.since < self.start_period()):
                self.streak += 1
            if self.streak >= self.retries():
                self.status = "unhealthy"
            self.next = end + self.wait(end)
            self.runs = self.next + self.machine.takes(self.machine.command)

    # -- what a check asks of a container

    def health(self) -> Health:
        self.machine.asked()
        self.play()
        return Health(self.status, self.streak, tuple(self.probes[-5:]))

    def exit_code(self) -> None:
        self.machine.asked()

    def started(self) -> float:
        return self.since

    def retries(self) -> int:
        return int(self.numbers.get("retries", 3))

    def probe_timeout(self) -> float:
        return self.numbers.get("timeout", 30)

    def start_period(self) -> float:
        return self.numbers.get("start-period", 0)

    def condition(self) -> Heard:
        return Running()

    def log(self) -> str:
        return ""

    def processes(self) -> list[Process]:
        self.machine.asked()
        self.play()
        probe = [Process(9, 2, 0, 0, "bash health.sh", first=False)]
        first = Process(1, 0, 0, 0, "node service.mjs", first=True)
        return [first, *(probe if self.runs <= self.machine.now else [])]

    def restart(self, _: str) -> None:
        self.machine.asked()
        self.start()


class Here(Lab):
    """A lab whose containers are simulated.

    Args:
        id_: the exercise.
        make: makes one, from what `Lab.container` is given.
    """

    def __init__(self, id_: str, make: Any) -> None:
        super().__init__(id_)
        self.make = make

    def image(self, ref: str) -> Any:
        return None

    def still(self, ref: str) -> str:
        return ""

    def alias(self, network: str, name: str) -> dict[str, Any]:
        return {network: name}

    @contextlib.contextmanager
    def volume(self) -> Iterator[str]:
        yield "a volume"

    @contextlib.contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        yield {"closed": "a network"}

    @contextlib.contextmanager
    def container(self, image: Any, **given: Any) -> Iterator[Any]:
        yield self.make(**given)


def numbers(text: str) -> dict[str, float]:
    """Those of a HEALTHCHECK; Docker's own where none is given, of several the last one."""
    docker = "--interval=30s --timeout=30s --start-period=0s --start-interval=5s --retries=3"
    found = {}
    for name, value, unit in re.findall(r"--([a-z-]+)=(\d+)(ms|s|)", f"{docker} {text}"):
        found[name] = int(value) / (1000 if unit == "ms" else 1)
    return found
