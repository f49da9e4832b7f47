"""course.engine.doctor: what is wrong, and the one thing to do.

A fault is injected for real wherever a test can: a taken port, a proxy that answers for loopback,
a loopback that is down, a small disk, a socket at which nobody answers, a server whose clock is
off. Docker's own answers come from a real socket.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from course import cli
from course.core.process import FakeRunner
from course.engine import doctor
from course.engine.doctor import Machine
from tests.engine.findings import bad, on, only
from tests.fake_docker import FakeDocker


def test_every_finder_answers_in_time_and_none_hides_another(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setenv("COURSE_OFFLINE", "1")

    def fails(machine: Machine) -> list[doctor.Finding]:
        raise RuntimeError("of the finder itself")

    monkeypatch.setitem(doctor.FINDERS, "memory", fails)
    began = time.monotonic()
    found = doctor.examine(Machine(FakeRunner({"docker": 1})))
    assert time.monotonic() - began < 10
    # What it says may hold a secret; what it was is enough.
    assert "· memory: could not be looked at: RuntimeError" in map(str, found)
    assert {"processor", "disk", "loopback", "clock"} <= {f.what for f in found}
    assert all(f.try_ for f in found if f.ok is False)


def test_a_finder_that_does_not_come_back_is_left_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr(doctor, "DEADLINE", 0.2)
    hang = threading.Event()
    monkeypatch.setattr(doctor, "FINDERS", {"slow": lambda _: [hang.wait(30)]})
    assert str(only(doctor.examine(Machine(FakeRunner())))) == "· slow: no answer within 0 s"
    hang.set()


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (None, 0), (False, 1)])
def test_the_command_fails_if_something_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, ok: bool | None, code: int
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: [doctor.Finding("x", ok, "seen", "do")])
    done = CliRunner().invoke(cli.app, ["doctor"])
    assert done.exit_code == code
    assert done.output[0] == {True: "✓", None: "·", False: "✗"}[ok]


def test_docker_that_answers_a_ping_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with FakeDocker(**{"/info": b"no JSON"}) as fake:
        found = doctor.examine(on(fake, monkeypatch))
    told = bad([f for f in found if f.what == "Docker"])
    assert "answers a ping, not `docker info`" in told.saw and told.try_ == "restart Docker"
    assert "disk" in {f.what for f in found}
