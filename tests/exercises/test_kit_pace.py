"""The pace of a machine, from a health check that does nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from course.core.errors import CourseError
from course.exercises.kit.lab import Lab
from course.exercises.kit.pace import Pace, pace
from course.measure.container import Probe


def machine(*took: float) -> Pace:
    probes = tuple(Probe(at, at + seconds, 0, "") for at, seconds in enumerate(took))
    watch: Any = SimpleNamespace(look=lambda: SimpleNamespace(probes=probes))
    return Pace(watch)


def test_the_pace_is_the_median_and_nothing_before_the_first_probe() -> None:
    assert machine().seconds() == 0
    assert machine(0.1, 2.0, 0.3).seconds() == pytest.approx(0.3)


def test_a_time_is_over_when_the_machine_has_had_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 107.0)
    slow = machine(0.6, 0.6)
    assert not slow.is_over(8, 100, 0)
    assert not slow.is_over(5, 100, 3)
    assert slow.is_over(5, 100, 2)


def test_without_the_courses_image_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(_: str) -> None:
        raise docker.errors.ImageNotFound("no such image")

    monkeypatch.setattr(Lab, "docker", SimpleNamespace(images=SimpleNamespace(get=get)))
    with pytest.raises(CourseError, match="node:24-slim"), pace(Lab("users-and-health-4")):
        pass
