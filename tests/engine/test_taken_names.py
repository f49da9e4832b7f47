"""Names and ports that the course uses and somebody else may already have: refused, never taken."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from course.artifacts import images
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import FakeRunner
from course.engine.docker import Docker
from course.engine.kind import Kind, _kind, _unfinished
from course.engine.local_registry import Registry
from course.exercises.kit import lab
from course.exercises.kit.verdict import Wrong

OTHER = {"amd64": "arm64", "arm64": "amd64"}[arch()]
CHANGES = ("rm", "stop", "kill", "start", "run", "delete", "rename", "pull", "tag")


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def changed(fake: FakeRunner) -> list[tuple[str, ...]]:
    """The calls that would change something."""
    return [call for call in fake.calls if set(call) & set(CHANGES)]


@pytest.fixture(params=["something else", "a registry"])
def answering(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port at which somebody answers every request with 200, as a registry does or not."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if request.param == "a registry":
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()


# -- the registry's name and port


def registry_of(owner: str, *, running: str = "true") -> FakeRunner:
    """A Docker with a container of the registry's name."""
    inspect = {"docker container inspect": f"{running} {owner}\n"}
    return FakeRunner({"docker image inspect": "\n", **inspect})


@pytest.mark.parametrize("running", ["true", "false"])
def test_a_container_of_the_registrys_name_is_refused_and_left_alone(running: str) -> None:
    fake = registry_of("", running=running)
    with pytest.raises(
        CourseError, match="course-registry that this course did not make"
    ) as caught:
        Registry(5001, fake).ensure(quiet)
    assert "docker rename course-registry" in caught.value.try_
    assert changed(fake) == []


def test_a_registry_of_ours_that_runs_is_left_alone(answering: int) -> None:
    fake, registry = registry_of("course"), Registry(answering, registry_of("course"))
    if registry.answers():
        Registry(answering, fake).ensure(quiet)
        assert changed(fake) == []


def test_a_port_at_which_somebody_else_answers_is_refused(answering: int) -> None:
    fake = FakeRunner({"docker image inspect": "\n", "docker container inspect": 1})
    with pytest.raises(CourseError, match=f"port {answering} is taken") as caught:
        Registry(answering, fake).ensure(quiet)
    assert "course doctor" in caught.value.try_
    assert changed(fake) == []


def test_only_a_registry_is_a_registry(answering: int, request: pytest.FixtureRequest) -> None:
    speaks = "a registry" in request.node.name
    assert Registry(answering, FakeRunner()).answers() is speaks


def test_what_should_be_the_registry_and_is_none(
    answering: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr("course.engine.local_registry._WAIT", 0.1)
    if "something else" in request.node.name:
        with pytest.raises(CourseError, match="is no registry"):
            Registry(answering, registry_of("course")).ensure(quiet)


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


# -- the cluster's name


def kind_with(port: str) -> tuple[Kind, FakeRunner]:
    """A Docker whose cluster `course` publishes this port; ours would be 8080."""
    there = {f"{_kind()} get clusters": "course\n"}
    fake = FakeRunner({**there, "docker container inspect": f"{port}\n"})
    return Kind(fake, Registry(5001, fake), 8080, 8443), fake


@pytest.mark.parametrize("port", ["9090", ""])
def test_a_cluster_of_our_name_is_refused_and_left_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    cluster, fake = kind_with(port)
    monkeypatch.setattr(Kind, "_tools", lambda *_: None)
    with pytest.raises(CourseError, match="named course that this course did not make") as caught:
        cluster.ensure(quiet)
    assert "kind delete cluster --name course" in caught.value.try_
    assert changed(fake) == []


@pytest.mark.parametrize(("port", "deleted"), [("8080", True), ("9090", False), ("", False)])
def test_down_deletes_our_cluster_only(home: Path, port: str, deleted: bool) -> None:
    cluster, fake = kind_with(port)
    kind = home / "state" / "bin" / "kind"
    kind.parent.mkdir(parents=True)
    kind.touch()
    fake.script = {**fake.script, f"{kind} delete cluster": ""}
    cluster.stop()
    assert bool([call for call in fake.calls if "delete" in call]) is deleted


def test_half_a_cluster_is_ours_whatever_it_publishes(home: Path) -> None:
    cluster, fake = kind_with("")
    kind = home / "state" / "bin" / "kind"
    kind.parent.mkdir(parents=True)
    kind.touch()
    _unfinished().touch()
    fake.script = {**fake.script, f"{kind} delete cluster": ""}
    cluster.stop()
    assert [call for call in fake.calls if "delete" in call]


def test_a_volume_that_is_not_ours_is_not_purged(home: Path) -> None:
    nothing = {"docker context inspect": 1, "docker image inspect": 1}
    fake = FakeRunner({**nothing, "docker volume ls": "", "docker image rm": ""})
    Docker(fake).purge()
    assert not [call for call in fake.calls if call[:3] == ("docker", "volume", "rm")]


# -- images for another processor


def test_an_image_of_the_catalogue_for_another_processor_is_named(home: Path) -> None:
    fake = FakeRunner({"docker image inspect": f"|{OTHER}\n"})
    with pytest.raises(CourseError, match=f"node:24-slim for another processor: {OTHER}") as caught:
        images.ensure("node:24-slim", quiet, runner=fake)
    assert "docker image rm node:24-slim" in caught.value.try_
    assert changed(fake) == []


@pytest.mark.parametrize("label", ["", images.key("node:24-slim")])
def test_an_image_for_this_processor_is_good(home: Path, label: str) -> None:
    fake = FakeRunner({"docker image inspect": f"{label}|{arch()}\n"})
    assert images.ensure("node:24-slim", quiet, runner=fake) == "present"


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
