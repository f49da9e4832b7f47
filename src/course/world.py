"""The ways in which start states and checks look at the world. All of them have a deadline."""

from __future__ import annotations

import contextlib
import difflib
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course import engines, paths, workspace
from course.errors import CourseError
from course.exercises import Wrong
from course.run import Runner, runner

if TYPE_CHECKING:
    from course.rollout.api import Kubernetes

LABEL = {"course.owner": "course"}
_CALL_WAIT = 20
_BUILD_WAIT = 300.0
_clients: dict[str, Any] = {}


class World:
    """The world of one exercise.

    Args:
        id_: the exercise.
    """

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.observed: list[tuple[str, float]] = []
        self.notes: list[str] = []

    # -- the learner's side

    def folder(self) -> Path:
        """The learner's folder for this exercise."""
        return paths.work() / self.id

    def write(self, name: str, text: str) -> Path:
        """Write a file of the start state."""
        file = self.folder() / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def remember(self, name: str, value: str) -> None:
        """Keep a fact of the start state for the check."""
        workspace.remember(self.id, name, value)

    def recall(self, name: str) -> str:
        """A fact of the start state.

        Raises:
            CourseError: there is none.
        """
        value = workspace.recall(self.id, name)
        if value is None:
            raise CourseError(
                f"the start state of {self.id} is not complete",
                "all of it",
                f"course reset {self.id}",
            )
        return value

    # -- the engine

    @property
    def registry(self) -> str:
        """`$REGISTRY`."""
        return self._variable("REGISTRY")

    @property
    def namespace(self) -> str:
        """`$COURSE_NAMESPACE`, the namespace of the kubeconfig's context."""
        return self._variable("COURSE_NAMESPACE")

    @property
    def orders_url(self) -> str:
        """`$ORDERS_URL`: the gateway's scheme and port."""
        return self._variable("ORDERS_URL")

    def _variable(self, name: str) -> str:
        return os.environ.get(name) or engines.environment()[name]

    @property
    def docker(self) -> Any:
        """A Docker SDK client.

        Raises:
            CourseError: no Docker answers.
        """
        import docker
        import docker.errors

        host = self._variable("DOCKER_HOST")
        if host not in _clients:
            try:
                client = docker.DockerClient(base_url=host, timeout=_CALL_WAIT)
                client.ping()
            except Exception:
                raise CourseError(
                    f"no Docker answers at {host}", "an answer", "course up"
                ) from None
            _clients[host] = client
        return _clients[host]

    def run(self, *argv: object, wait: float = _BUILD_WAIT, check: bool = True) -> str:
        """The output of one command with the engine's variables."""
        using: Runner = runner()
        env = engines.environment() | {
            k: os.environ[k] for k in engines.CONTRACT if k in os.environ
        }
        return using.run(argv, timeout=wait, env=env, check=check).stdout

    # -- images and containers

    def image(self, ref: str) -> Any:
        """An image of the learner's.

        Raises:
            Wrong: there is none (`no-image`); the nearest name is told.
        """
        import docker.errors

        try:
            return self.docker.images.get(ref)
        except docker.errors.ImageNotFound:
            tags = [tag for image in self.docker.images.list() for tag in image.tags]
            near = difflib.get_close_matches(ref, tags, n=1, cutoff=0.5)
            saw = f"no image `{ref}`" + (f"; there is `{near[0]}`" if near else "")
            raise Wrong(
                "no-image",
                saw=saw,
                want=f"an image named `{ref}`",
                try_=f"docker images   then: docker build -t {ref} {self.id}",
            ) from None

    def set_aside(self, ref: str) -> None:
        """Free an image's name for a start state; what had it keeps a name with the time."""
        import docker.errors

        try:
            image = self.docker.images.get(ref)
        except docker.errors.ImageNotFound:
            return
        if image.id == workspace.recall(self.id, "made"):
            return  # the start state's own, not yet the learner's
        name, tag = ref.rsplit(":", 1)
        image.tag(name, f"{tag}-saved-{time.strftime('%Y%m%d-%H%M%S')}")
        self.docker.images.remove(ref)

    def made(self, ref: str) -> None:
        """Remember that an image is the start state's own."""
        self.remember("made", str(self.docker.images.get(ref).id))

    def other_tags(self, ref: str) -> str:
        """Another tag of the same name, or an empty string."""
        name = ref.rsplit(":", 1)[0]
        tags = [t for image in self.docker.images.list(name=name) for t in image.tags if t != ref]
        return next((t for t in sorted(tags) if "-saved-" not in t), "")

    @contextlib.contextmanager
    def container(
        self, image: str, *, port: int, env: dict[str, str] | None = None
    ) -> Iterator[Served]:
        """Run an image as a service, with nothing of the machine in it, and remove it after.

        Args:
            image: what to run, with no mounts and only these variables.
            port: where it listens inside.
            env: variables.
        """
        made = self.docker.containers.run(
            image,
            detach=True,
            labels=LABEL,
            ports={f"{port}/tcp": ("127.0.0.1", 0)},
            environment=env or {},
            mem_limit="256m",
        )
        try:
            yield Served(made, port)
        finally:
            with contextlib.suppress(Exception):
                made.remove(force=True, v=True)

    # -- the registry

    def manifest(self, repository: str, tag: str) -> tuple[str, dict[str, Any]] | None:
        """Digest and manifest that `$REGISTRY` serves for a tag, or `None`."""
        accept = ", ".join(
            "application/vnd." + kind
            for kind in (
                "oci.image.index.v1+json",
                "oci.image.manifest.v1+json",
                "docker.distribution.manifest.v2+json",
                "docker.distribution.manifest.list.v2+json",
            )
        )
        request = urllib.request.Request(
            f"http://{self._dial()}/v2/{repository}/manifests/{tag}", headers={"Accept": accept}
        )
        try:
            with urllib.request.urlopen(request, timeout=_CALL_WAIT) as answer:  # noqa: S310
                return answer.headers["Docker-Content-Digest"], json.load(answer)
        except urllib.error.HTTPError:
            return None
        except OSError:
            raise CourseError(
                f"no registry answers at {self.registry}", "an answer", "course up"
            ) from None

    def tags(self, repository: str) -> list[str]:
        """The tags that `$REGISTRY` has of a repository."""
        url = f"http://{self._dial()}/v2/{repository}/tags/list"
        try:
            with urllib.request.urlopen(url, timeout=_CALL_WAIT) as answer:
                return list(json.load(answer).get("tags") or [])
        except OSError:
            return []

    def labels(self, repository: str, tag: str) -> dict[str, str]:
        """The labels of an image in `$REGISTRY`; none if it is not there or of several platforms.

        Args:
            repository: the image's name.
            tag: its tag.
        """
        served = self.manifest(repository, tag)
        config = served[1].get("config") if served else None
        if not config:
            return {}
        url = f"http://{self._dial()}/v2/{repository}/blobs/{config['digest']}"
        with urllib.request.urlopen(url, timeout=_CALL_WAIT) as answer:
            return dict(json.load(answer).get("config", {}).get("Labels") or {})

    def _dial(self) -> str:
        # Python's resolver may answer ::1 for localhost, where nothing listens.
        return self.registry.replace("localhost", "127.0.0.1")

    # -- the cluster

    @property
    def api(self) -> Kubernetes:
        """The API of the cluster, in the namespace of the kubeconfig's context.

        Raises:
            CourseError: there is no kubeconfig, or it cannot be read.
        """
        from course.rollout.api import Kubernetes

        name = self._variable("KUBECONFIG")
        if name not in _clients:
            _clients[name] = Kubernetes()
        found: Kubernetes = _clients[name]
        return found

    def objects(self, kind: str, **query: str) -> list[dict[str, Any]]:
        """Objects of the namespace, as the API sends them.

        Args:
            kind: in the plural, e.g. `pods`.
            query: `labelSelector` or `fieldSelector`.

        Raises:
            CourseError: the API does not answer, or refuses.
        """
        listed = self.api.select(kind, query)
        # A list leaves out what all of its items share.
        head = {"apiVersion": listed["apiVersion"], "kind": listed["kind"].removesuffix("List")}
        return [head | item for item in listed["items"]]

    # -- time

    @contextlib.contextmanager
    def observe(self, label: str) -> Iterator[None]:
        """Declare what runs inside as observation: its seconds are told apart."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.observed.append((label, round(time.monotonic() - began, 2)))

    def note(self, text: str) -> None:
        """Say something about a right answer that is worth noticing."""
        self.notes.append(text)


class Served:
    """A container that should answer HTTP.

    Args:
        made: the SDK's container.
        port: where it listens inside.
    """

    def __init__(self, made: Any, port: int) -> None:
        self._made = made
        self._port = port

    def get(self, path: str, *, wait: float = 10.0) -> tuple[int, str]:
        """Status and body of a request, asked again until the service has started.

        Args:
            path: path and query.
            wait: deadline in seconds.

        Returns:
            Status 0 and the container's log if it ended or does not answer in time.
        """
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            self._made.reload()
            if self._made.status in ("exited", "dead"):
                break
            bound = self._made.ports.get(f"{self._port}/tcp")
            if bound:
                with contextlib.suppress(OSError, http.client.HTTPException):
                    return _get(int(bound[0]["HostPort"]), path)
            time.sleep(0.1)
        return 0, self.log()

    def log(self) -> str:
        """Its last lines."""
        return str(self._made.logs(tail=30).decode(errors="replace")).strip()

    def exit_code(self) -> int | None:
        """Its exit code, or `None` while it runs."""
        self._made.reload()
        state = self._made.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])


def _get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def wait_until(ready: Callable[[], bool], deadline: float, what: str, try_: str) -> None:
    """Wait for something.

    Args:
        ready: asked again and again.
        deadline: seconds.
        what: what is waited for, for the message.
        try_: what to do if it does not come.

    Raises:
        CourseError: it did not come in time.
    """
    end = time.monotonic() + deadline
    while not ready():
        if time.monotonic() > end:
            raise CourseError(f"waited {deadline:.0f} s for {what}", what, try_)
        time.sleep(0.3)


def empty(folder: Path) -> None:
    """Remove what is in a folder of an exercise; it was saved before."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
