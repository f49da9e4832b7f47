"""course.engine.doctor.clock: how far off the clock is, and by what that is known."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from course.core import paths
from course.core.process import FakeRunner
from course.engine.doctor import Machine, clock
from tests.engine.findings import bad, on, only, server
from tests.fake_docker import INFO, FakeDocker


@pytest.fixture
def dated(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose files have the date of today."""
    for name in ("pyproject.toml", "uv.lock"):
        (home / name).touch()
    monkeypatch.setattr(paths, "ROOT", home)
    return home


@pytest.mark.parametrize(("off", "told"), [(0, ""), (-7200, "2 h ahead of"), (400, "400 s behind")])
def test_the_clock_against_a_server_of_this_machines_sources(
    dated: Path, off: float, told: str
) -> None:
    with server(date=time.time() + off) as address:
        found = only(clock.clock(Machine(FakeRunner(), dated, {"UV_DEFAULT_INDEX": address})))
    assert found.ok is not bool(told)
    assert told in found.saw.replace("399", "400").replace("401", "400")


def test_the_clock_against_a_file_from_the_future(dated: Path) -> None:
    ahead = time.time() + 3 * 86400
    os.utime(dated / "uv.lock", (ahead, ahead))
    found = bad(clock.clock(Machine(FakeRunner(), dated, {"COURSE_OFFLINE": "1"})))
    assert "3 days behind" in found.saw and "timedatectl" in found.try_


def test_a_clock_that_nothing_can_be_compared_with(dated: Path) -> None:
    found = only(clock.clock(Machine(FakeRunner(), dated, {"COURSE_OFFLINE": "1"})))
    assert str(found).startswith("· clock: untried")


def test_the_sources_are_the_machines_own(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (folder / "debian.sources").write_text("URIs: http://mirror.corp/debian\nSuites: bookworm\n")
    env = {"GOPROXY": "https://go.corp,direct", "PIP_INDEX_URL": "off"}
    asked = list(clock.sources(Machine(FakeRunner(), tmp_path, env)))
    assert asked == ["https://go.corp", "http://mirror.corp/debian", "https://pypi.org/"]


def test_an_index_password_is_neither_sent_nor_told(dated: Path) -> None:
    with server() as address:
        env = {"UV_INDEX_URL": address.replace("//", "//build:hunter22@")}
        machine = Machine(FakeRunner(), dated, env)
        assert next(clock.sources(machine)) == address
        found = only(clock.clock(machine))
    assert found.ok and "127.0.0.1" in found.saw and "hunter22" not in str(found)


def test_an_index_whose_address_is_none_is_passed_over() -> None:
    assert clock._difference("http://127.0.0.1:hunter22/simple") is None


@pytest.mark.parametrize(("off", "ok"), [(1, True), (-3600, False), (90, False)])
def test_dockers_clock(monkeypatch: pytest.MonkeyPatch, off: float, ok: bool) -> None:
    seen = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(time.time() + off))
    with FakeDocker(**{"/info": {**INFO, "SystemTime": seen}}) as fake:
        assert only(clock.of_docker(on(fake, monkeypatch))).ok is ok
