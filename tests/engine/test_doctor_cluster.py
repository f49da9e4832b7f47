"""course.engine.doctor.cluster: the doctor finds what `course status` finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import environment
from course.core.process import FakeRunner
from course.engine import doctor
from course.engine.doctor import cluster
from course.measure import health
from tests.fake_docker import FakeDocker
from tests.running_course import GATEWAY, Said, gateway, running, system


@pytest.fixture
def engine(home: Path) -> Iterator[environment.Engine]:
    """A course that is up, its ports answered by a server of the test's own."""
    with running() as made:
        yield made


def test_the_doctor_finds_what_status_finds(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = system(but=[gateway(ended=("OOMKilled", 12), restarts=3, ready=9)])
    monkeypatch.setattr(health, "Commands", lambda *_, **__: Said(listed=killed))
    with FakeDocker() as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.host)
        found = [f for f in cluster.parts(doctor.Machine(FakeRunner())) if f.ok is False]
    assert len(found) == 1 and str(found[0]).startswith(f"✗ {GATEWAY}: it is ready again")
    assert cluster.parts in doctor.FINDERS.values()
