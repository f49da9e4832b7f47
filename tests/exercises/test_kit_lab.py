"""course.exercises.kit.lab: containers and registries, as a check asks them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from course.core.errors import CourseError
from course.core.machine import arch
from course.exercises.kit import lab
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from tests.port_owner import port_owner


@pytest.fixture(params=["something else", "a registry"])
def answering(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port at which somebody answers every request with 200, as a registry does or not."""
    with port_owner(registry=request.param == "a registry") as port:
        yield port


OTHER = {"amd64": "arm64", "arm64": "amd64"}[arch()]


ASKED: dict[str, Callable[[lab.Lab], object]] = {
    "digests": lambda here: here.digests("x"),
    "manifest": lambda here: here.manifest("x", "1"),
    "labels": lambda here: here.labels("x", "1"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_a_check_names_a_registry_that_is_none(
    home: Path, answering: int, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("REGISTRY", f"localhost:{answering}")
    monkeypatch.setattr("course.measure.registry_client.VERSION_HEADER", "X-Nobody-Sends-This")
    with pytest.raises(CourseError, match="is no registry"):
        ASKED[asked](lab.Lab("containers-1"))


@pytest.mark.parametrize("asked", ASKED)
def test_a_check_names_a_registry_that_does_not_answer(
    home: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setenv("REGISTRY", "localhost:1")
    with pytest.raises(CourseError, match="no registry answers at localhost:1"):
        ASKED[asked](lab.Lab("containers-1"))


class Container:
    """A container that ended at once."""

    status = "exited"
    attrs: dict[str, Any] = {"State": {"Running": False, "ExitCode": 255}}  # noqa: RUF012
    removed = False

    def __init__(self, log: bytes) -> None:
        self._log = log

    def start(self) -> None:
        """It ends at once."""

    def reload(self) -> None:
        """It has ended."""

    def logs(self, tail: int) -> bytes:
        return self._log

    def remove(self, **_: object) -> None:
        self.removed = True


class Client:
    """A Docker with one image, which ends so."""

    def __init__(self, processor: str, ends: Container | Exception) -> None:
        self.attrs = {"Architecture": processor}
        self.ends = ends
        self.images = self.containers = self

    def get(self, ref: str) -> Client:
        return self

    def list(self, **_: object) -> list[object]:
        return []

    def create(self, *_: object, **__: object) -> Container:
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends


def run_and_wonder(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check does with an image that does not answer."""
    monkeypatch.setattr(lab.Lab, "docker", client)
    with lab.Lab("containers-1").container("slug:lab", port=3000) as served:
        assert served.get("/", wait=1)[0] == 0
        raise Wrong("crashes", saw="it ended", want="a service", try_="look")


EXEC = b"exec /usr/local/bin/node: exec format error\n"


@pytest.mark.parametrize(
    "ends",
    [
        Container(EXEC),
        docker.errors.APIError("its platform (linux/x) does not match the specified platform"),
        docker.errors.APIError('exec: "/app": exec format error: unknown'),
    ],
)
def test_a_learners_image_for_another_processor_is_the_cause_that_is_named(
    monkeypatch: pytest.MonkeyPatch, ends: Container | Exception
) -> None:
    with pytest.raises(Wrong) as caught:
        run_and_wonder(Client(OTHER, ends), monkeypatch)
    assert caught.value.cause == "architecture"
    assert f"is an image for {OTHER}" in caught.value.saw and "--platform" in caught.value.try_
    assert isinstance(ends, Exception) or ends.removed


def test_a_program_for_another_processor_in_a_right_image(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Wrong) as caught:
        run_and_wonder(Client(arch(), Container(EXEC)), monkeypatch)
    assert caught.value.cause == "architecture" and "cannot run what" in caught.value.saw


def test_any_other_end_keeps_the_checks_own_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Wrong) as caught:
        run_and_wonder(Client(OTHER, Container(b"Error: no such file")), monkeypatch)
    assert caught.value.cause == "crashes"


def test_any_other_error_of_docker_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Wrong) as caught:
        run_and_wonder(Client(OTHER, docker.errors.APIError("no space left")), monkeypatch)
    assert caught.value.cause == "cannot-start" and "no space left" in caught.value.saw


class NeverStarts:
    """A Docker that makes a container and cannot start it."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.removed = False
        self.containers = self

    def list(self, **_: Any) -> list[Any]:
        return []

    def create(self, image: str, **_: Any) -> NeverStarts:
        assert image == "x:lab"
        return self

    def start(self) -> None:
        raise docker.errors.APIError("400", explanation=self.said)

    def remove(self, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self.removed = True


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("unable to find user app: no matching entries in passwd file", "unable to find user app"),
        (
            "failed to create task for container: failed to create shim task: OCI runtime create "
            'failed: runc create failed: unable to start container process: exec: "./start.sh": '
            "permission denied: unknown",
            'container process: exec: "./start.sh": permission denied',
        ),
    ],
)
def test_an_image_that_cannot_start_is_a_wrong_answer_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    engine = NeverStarts(said)
    monkeypatch.setattr(Lab, "docker", engine)
    with pytest.raises(Wrong) as wrong, Lab("x-1").container("x:lab", port=3000):
        pytest.fail("it must not get here")
    assert wrong.value.cause == "cannot-start"
    assert told in wrong.value.saw
    assert "unknown" not in wrong.value.saw
    assert engine.removed


def test_a_container_of_a_check_is_bounded_whatever_its_program_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    class Engine(NeverStarts):
        def create(self, image: str, **more: Any) -> NeverStarts:
            asked.update(more)
            return self

    monkeypatch.setattr(Lab, "docker", Engine("no"))
    with pytest.raises(Wrong), Lab("x-1").container("x:lab", port=3000, mem_limit="64m"):
        pytest.fail("it must not get here")
    assert asked["pids_limit"] == 512 and asked["mem_limit"] == "64m"
    assert asked["memswap_limit"] == "64m" and "max-size" in asked["log_config"]["Config"]


def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(home: Path) -> None:
    lab = Lab("mini-1")
    os.mkfifo(lab.write("a", "").with_name("pipe"))
    for name, to in (("zero", "/dev/zero"), ("elsewhere", "/etc/hostname"), ("loop", "loop")):
        (lab.folder() / name).symlink_to(to)
    (lab.folder() / "large").write_bytes(b"x" * 4_000_001)
    (lab.folder() / "inside").symlink_to("a")
    said = {}
    for name in ("pipe", "zero", "elsewhere", "loop", "large"):
        with pytest.raises(Wrong) as told:
            lab.read(name)
        assert told.value.cause == "unreadable"
        said[name] = told.value.saw.partition("read: ")[2]
    assert said == {
        "pipe": "it is no regular file",
        "zero": "it is a link to /dev/zero",
        "elsewhere": "it is a link to /etc/hostname",
        "loop": "Too many levels of symbolic links",
        "large": "it is larger than 4 MB",
    }
    assert lab.read("inside") == ""
