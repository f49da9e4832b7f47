"""course.doctor and course.debian: what is wrong, and the one thing to do."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from course import debian, doctor, engines, fetch
from course.engines import ports
from course.errors import CourseError
from course.run import FakeRunner


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def finding(what: str) -> doctor.Finding:
    return next(f for f in doctor.examine(using=FakeRunner({"docker": 1})) if f.what == what)


def test_each_fault_comes_with_one_thing_to_do(home: Path) -> None:
    for found in doctor.examine(using=FakeRunner({"docker": 1})):
        assert found.ok or found.try_
        assert str(found).startswith("✓" if found.ok else "✗")


def test_too_little_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = namedtuple("memory", "total")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(2_000_000_000))
    assert str(finding("memory")).startswith("✗ memory: 2.0 GB\n  try:  give the machine")


def test_too_little_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(3_000_000_000))
    assert not finding("disk").ok and "COURSE_CACHE" in finding("disk").try_


def test_no_docker_for_a_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert str(finding("Docker")).startswith("✗ Docker: not installed")
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/docker")
    assert "start Docker" in finding("Docker").try_


def test_no_docker_for_root_on_debian_is_no_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    assert finding("Docker").ok


def test_a_taken_port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engines.save(engines.Engine("kind", {}, [], {"http": 8080}))
    monkeypatch.setattr(ports, "taken", lambda port: True)
    assert not finding("port 8080").ok


def test_installed_packages_are_left_alone() -> None:
    fake = FakeRunner({"dpkg-query": "installed"})
    debian.ensure(["gcc"], quiet, using=fake)
    assert len(fake.calls) == 1


def test_without_the_right_to_install_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: False)
    with pytest.raises(CourseError) as caught:
        debian.ensure(["gcc", "mmdebstrap"], quiet, using=FakeRunner({"dpkg-query": 1}))
    assert caught.value.try_ == "apt-get install gcc mmdebstrap"


def test_package_lists_are_fetched_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    fake = FakeRunner({"dpkg-query": 1, "apt-get install": [100, 0], "apt-get update": 0})
    debian.ensure(["gcc"], quiet, using=fake)
    assert [c[1] for c in fake.calls if c[0] == "apt-get"] == ["install", "update", "install"]


def test_the_network_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuse(*args: object, **_: object) -> None:
        asked.append(args)
        raise OSError("refused")

    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    monkeypatch.setattr("urllib.request.urlopen", refuse)
    fetch.reachable.cache_clear()
    assert [fetch.reachable("example.org") for _ in range(3)] == [False] * 3
    fetch.reachable.cache_clear()
    assert len(asked) == 1
