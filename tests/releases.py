"""Records of a release, made up: its pods and the requests sent meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from course.measure.rollout import Pod, Sample, Status
from course.measure.traffic import Batch, Response
from course.measure.traffic.summary import Tally

RATE = 10.0


def pod(name: str, version: str = "1.1.0", *, ready: bool = True, ending: bool = False) -> Pod:
    return Pod(name, version, 1, "Running", ready, ending, 0, 5.0)


def sample(at: float, *pods: Pod, state: Any = "progressing") -> Sample:
    return Sample(at, pods, 1, Status(state, state, desired=2, version=pods[0].version))


@dataclass
class Run:
    """A run that has ended."""

    answers: list[Response]
    blind: tuple[tuple[float, float], ...] = ()
    unsent: tuple[float, ...] = ()
    started: float = 1000.5

    def batches(self) -> list[Batch]:
        planned = len(self.answers) + len(self.unsent)
        return [Batch(0.0, tuple(self.answers), planned, self.unsent, self.blind)]

    def summary(self) -> Any:
        tally = Tally(RATE)
        tally.add(self.batches())
        return tally.summary(seconds=len(self.answers) / RATE, ended="done")


@dataclass
class Feed:
    """A feed that has ended."""

    kept: list[Sample] = field(default_factory=list)
    began: float = 1000.0

    def samples(self) -> list[Sample]:
        return self.kept


def answers(*errors: tuple[str, str]) -> list[Response]:
    return [Response(i / RATE, 0.1, 5.0, v, e) for i, (e, v) in enumerate(errors)]


GOOD = ("", "1.1.0")
