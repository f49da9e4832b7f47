"""What is somebody else's in a real Docker: refused by name, and still there after."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.artifacts import images
from course.core import environment as environment_
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import default_runner
from course.engine import doctor, local_registry
from course.engine.doctor import docker as doctor_docker
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong

OTHER = {"amd64": "arm64", "arm64": "amd64"}[arch()]
NAME = "course-names-test"
REF = f"{NAME}:1"
_MACHINES = {"amd64": 62, "arm64": 183}


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_.environment().items():
        monkeypatch.setenv(name, value)


def program(processor: str) -> bytes:
    """The head of a program for a processor: enough for a kernel to refuse it."""
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 2, _MACHINES[processor], 1, 64, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return head.ljust(4096, b"\0")


def build(folder: Path, platform: str, processor: str) -> None:
    """An image that says it is for a platform, with a program for a processor."""
    (folder / "app").write_bytes(program(processor))
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY --chmod=755 app /app\nCMD ["/app"]\n')
    argv = ["docker", "build", "--quiet", "--platform", f"linux/{platform}", "--tag", REF, folder]
    default_runner().run(argv, timeout=60, env={"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"})


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[None]:
    """An image for another processor."""
    build(tmp_path, OTHER, OTHER)
    yield
    default_runner().run(["docker", "image", "rm", "--force", REF], timeout=60)


def test_a_learners_image_for_another_processor_is_named_as_the_cause(foreign: None) -> None:
    with pytest.raises(Wrong) as caught, Lab("containers-1").container(REF, port=3000) as served:
        status, log = served.get("/", wait=5)
        assert status == 0, log
        raise Wrong("crashes", saw="it ended", want="a service", try_="look")
    assert caught.value.cause == "architecture", caught.value.saw
    assert f"`{REF}` is an image for {OTHER}" in caught.value.saw


def test_a_program_for_another_processor_is_named_as_the_cause(tmp_path: Path) -> None:
    build(tmp_path, arch(), OTHER)
    try:
        with (
            pytest.raises(Wrong) as caught,
            Lab("containers-1").container(REF, port=3000) as served,
        ):
            served.get("/", wait=5)
            raise Wrong("crashes", saw="it ended", want="a service", try_="look")
    finally:
        default_runner().run(["docker", "image", "rm", "--force", REF], timeout=60)
    assert caught.value.cause == "architecture", caught.value.saw
    assert "cannot run what" in caught.value.saw


def test_an_image_of_the_catalogue_for_another_processor_is_refused_and_kept(
    foreign: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = images.Image(REF, f"docker.io/nobody/{REF}", "registry")
    monkeypatch.setattr(images, "catalogue", lambda: {REF: entry})
    with pytest.raises(CourseError, match=f"{REF} for another processor: {OTHER}"):
        images.ensure(REF, quiet)
    found = doctor_docker.architecture(doctor.Machine())
    assert [(f.what, f.ok) for f in found] == [(f"image {REF}", False)]
    assert (
        default_runner().run(["docker", "image", "ls", "--quiet", REF], timeout=30).stdout.strip()
    )


def test_a_container_of_the_registrys_name_is_refused_and_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = ["docker", "create", "--name", NAME, "node:24-slim", "true"]
    mine = default_runner().run(made, timeout=60).stdout.strip()
    try:
        for module in (local_registry, doctor_docker):
            monkeypatch.setattr(module, "REGISTRY_NAME", NAME)
        with pytest.raises(CourseError, match=f"a container {NAME} that this course did not make"):
            local_registry.Registry(1, default_runner()).ensure(quiet)
        found = doctor_docker.registry(doctor.Machine())
        assert [f.ok for f in found] == [False] and NAME in found[0].saw
        inspect = ["docker", "container", "inspect", NAME, "--format", "{{.Id}}"]
        assert default_runner().run(inspect, timeout=30).stdout.strip() == mine
    finally:
        default_runner().run(["docker", "rm", "--force", mine], timeout=60)


def test_the_doctor_finds_nothing_wrong_with_what_is_ours() -> None:
    found = {f.what: f for f in doctor.examine()}
    for what in ("Docker", "the cluster's name", "Docker's clock", "loopback"):
        assert found[what].ok, found[what]
    assert [f for f in found.values() if f.ok is False and "disk" not in f.what] == []
    engine = environment_.current()
    assert engine and found[f"port {engine.ports['http']}"].saw == "the gateway answers"
    ours = [f.saw for f in found.values() if re.match(r"port \d+ \(", f.what)]
    assert ours == ["the course's own"] * 3
