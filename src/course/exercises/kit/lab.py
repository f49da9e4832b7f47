"""The ways in which start states and checks look at the world. All of them have a deadline."""

from __future__ import annotations

import contextlib
import difflib
import http.client
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from course.core import environment, paths, waiting
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import Runner, default_runner
from course.exercises.kit import build_errors, run_errors
from course.exercises.kit import copy as copy_
from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import Facts, see
from course.exercises.kit.reply import Ended, Heard, Reply, Running, telling_line
from course.exercises.kit.verdict import Wrong
from course.learner import progress
from course.measure import docker_client, leftovers
from course.measure.container import Container
from course.measure.registry_client import Repository

if TYPE_CHECKING:
    from course.measure.kube_api import Kubernetes

_CALL_WAIT = 20
_READ_TIMEOUT = 3.0
_REQUEST_TIMEOUT = 5.0
_MOST_ANSWER = 4_000_000
_BOUNDS: dict[str, Any] = {
    # Of a program that nobody knows: it may fork, allocate and print without end.
    "mem_limit": "256m",
    "pids_limit": 512,
    # In files that `docker logs` reads, whatever the machine's own way is.
    "log_config": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}},
}
"""What a container of a check may use of the machine."""
_BUILD_WAIT = 300.0
_MOST_PROCESSES = 24
_PROGRAMS_WAIT = 20.0
_GONE, _FAILED = 404, 500
_DESKTOP = "Docker Desktop"
_ANSWERS = "com.docker.network.bridge.enable_ip_masquerade"
_clients: dict[str, Any] = {}

Contract: TypeAlias = Callable[["Served", Draw], Iterator[Facts]]
"""What a service answers whenever it runs: asks for things drawn now, and yields what it heard."""


class Lab:
    """One exercise: its folder, its images and containers, and the ways to look at them.

    Args:
        id_: the exercise.
    """

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.observed: list[tuple[str, float]] = []
        self._observing = False
        self.notes: list[str] = []
        self.drawn: Draw | None = None

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

    def read(self, name: str) -> str:
        """The text of a file in the learner's folder.

        Raises:
            Wrong: it is not there, not UTF-8, or no file of this folder; what to do is told.
        """
        return build_errors.decode(
            self.folder() / name, f"{self.id}/{name}", self.id, within=self.folder()
        )

    def remember(self, name: str, value: str) -> None:
        """Keep a fact of the start state for the check."""
        progress.remember(self.id, name, value)

    def recall(self, name: str) -> str:
        """A fact of the start state.

        Raises:
            CourseError: there is none.
        """
        value = progress.recall(self.id, name)
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
        return os.environ.get(name) or environment.environment()[name]

    @property
    def docker(self) -> Any:
        """A Docker SDK client; the first of a process removes what killed ones left behind.

        Raises:
            CourseError: no Docker answers.
        """
        host = self._variable("DOCKER_HOST")
        if host not in _clients:
            if wrong := docker_client.refused(host):
                raise wrong
            try:
                client = docker_client.client(host, timeout=_CALL_WAIT)
                client.ping()
            except Exception as error:
                raise self._no_docker() from error
            _clients[host] = client
            leftovers.remove(client)
        return _clients[host]

    @contextlib.contextmanager
    def translate_docker_errors(self) -> Iterator[None]:
        """Look at the world inside; a Docker that has stopped since it was first asked is told.

        Raises:
            CourseError: Docker does not answer any more, or fails, or no longer has what it had
                a moment ago.
        """
        import requests  # what Docker's SDK asks with

        try:
            yield
        except (requests.ConnectionError, requests.Timeout) as error:
            raise self._no_docker() from error
        except requests.HTTPError as error:  # as the SDK's own errors are
            status = error.response.status_code if error.response is not None else 0
            said = str(getattr(error, "explanation", "") or error)
            if status == _GONE:
                raise CourseError(
                    f"it is gone while the check looks at it: {said}",
                    "images and containers that stay until the check has ended",
                    "what else removes them now? then run the check again",
                ) from error
            if status >= _FAILED:
                raise CourseError(
                    f"Docker itself failed: {said}", "an answer of Docker's", "course doctor"
                ) from error
            raise

    def _no_docker(self) -> CourseError:
        host = self._variable("DOCKER_HOST")
        return CourseError(f"no Docker answers at {host}", "an answer", "course up")

    def run(self, *argv: object, wait: float = _BUILD_WAIT, check: bool = True) -> str:
        """The output of one command with the engine's variables."""
        runner: Runner = default_runner()
        return runner.run(argv, timeout=wait, env=self.env(), check=check).stdout

    def env(self) -> dict[str, str]:
        """The engine's variables, as this process has them."""
        own = {k: os.environ[k] for k in environment.LESSON_VARIABLES if k in os.environ}
        return environment.environment() | own

    # -- builds, images and containers

    @contextlib.contextmanager
    def copy(
        self, without: tuple[str, ...] = copy_.GENERATED, any_base: str = ""
    ) -> Iterator[copy_.Copy]:
        """A copy of the learner's folder to build, edit and rebuild; removed after.

        Its builds may begin with the course's images and with what a registry serves; one that
        needs another image of this machine is wrong (`base-only-here`).

        Args:
            without: names of files and folders that are left out.
            any_base: why its builds may stand on an image that only this machine has, if they may.
        """
        with self.observe("a copy of your folder"):
            made = copy_.Copy(self, without, any_base)
        try:
            yield made
        finally:
            with self.observe("the copy removed"):
                made.close()

    def image(self, ref: str) -> Any:
        """An image of the learner's.

        Raises:
            Wrong: there is none (`no-image`); the nearest name is told.
        """
        import docker.errors

        try:
            return self.docker.images.get(ref)
        except docker.errors.ImageNotFound as error:
            with self.observe("the list of your images"):
                near = difflib.get_close_matches(ref, self._names(), n=1, cutoff=0.5)
            raise run_errors.no_image(ref, near[0] if near else "", self.id) from error

    def rename_existing(self, ref: str) -> None:
        """Free an image's name for a start state; what had it keeps a name with the time."""
        import docker.errors

        try:
            image = self.docker.images.get(ref)
        except docker.errors.ImageNotFound:
            return
        if image.id == progress.recall(self.id, "made"):
            return  # the start state's own, not yet the learner's
        name, tag = ref.rsplit(":", 1)
        image.tag(name, f"{tag}-saved-{time.strftime('%Y%m%d-%H%M%S')}")
        self.docker.images.remove(ref)

    def build(self, ref: str) -> None:
        """Build the folder to an image of this name."""
        self.run("docker", "build", "--quiet", "--tag", ref, self.folder())

    def push(self, ref: str, name: str) -> str:
        """Push an image to `$REGISTRY`.

        Args:
            ref: the image.
            name: its name there, e.g. `quote:1.0`.

        Returns:
            The digest that the registry serves.
        """
        there = f"{self.registry}/{name}"
        if ref != there:
            self.run("docker", "tag", ref, there)
        self.run("docker", "push", "--quiet", there)
        repository, _, tag = name.rpartition(":")
        served = self.manifest(repository, tag)
        return served[0] if served else ""

    def record_start_image(self, ref: str) -> None:
        """Remember that an image is the start state's own."""
        self.remember("made", str(self.docker.images.get(ref).id))

    def other_tags(self, ref: str) -> str:
        """Another tag of the same name, or an empty string."""
        name = ref.rsplit(":", 1)[0]
        tags = [tag for tag in self._names(name) if tag != ref and "-saved-" not in tag]
        return min(tags, default="")

    def _names(self, repository: str | None = None) -> list[str]:
        """The names of all images, or of one repository's."""
        # The SDK's own list asks for each image once more, and fails if one is removed meanwhile.
        found = self.docker.api.images(name=repository)
        return [name for image in found for name in image["RepoTags"] or []]

    @contextlib.contextmanager
    def container(
        self,
        image: str,
        *,
        port: int,
        env: dict[str, str] | None = None,
        closed: str = "",
        arguments: Sequence[str] = (),
        called: str = "",
        **more: Any,
    ) -> Iterator[Served]:
        """Run an image as a service, with nothing of the machine in it, and remove it after.

        An image for another processor is a wrong answer (`architecture`), unless this machine
        emulates that processor.

        Args:
            image: what to run; only these variables, and no mounts but those in `more`.
            port: where it listens inside.
            env: variables.
            closed: a network without a way out to run it in (`network`).
            arguments: what follows the image's name.
            called: how messages name the image, if not by its own name.
            more: what else the SDK's `containers.create` takes, e.g. `volumes`, `entrypoint`.

        Raises:
            Wrong: Docker cannot start it (`cannot-start`; `arguments-lost` if it has arguments).
        """
        import docker.errors

        ref = called or image
        made, bounds = None, _BOUNDS | more
        if arguments:
            bounds["command"] = list(arguments)
        bounds["memswap_limit"] = bounds["mem_limit"]  # no swap beside it
        # Docker publishes no port of a network that has no way out.
        bounds |= {"network": closed} if closed else {"ports": {f"{port}/tcp": ("127.0.0.1", 0)}}
        try:
            try:
                made = self.docker.containers.create(
                    image,
                    labels=leftovers.labels(),
                    environment=env or {},
                    **bounds,
                )
                made.start()
            except docker.errors.APIError as error:
                if "platform" in str(error) or run_errors.EXEC_FORMAT in str(error):
                    raise self.wrong_architecture(image, ref) from error
                said = str(error.explanation or error)
                if arguments:
                    raise run_errors.arguments_lost(ref, arguments, said) from error
                raise run_errors.cannot_start(ref, said) from error
            served = Served(made, port, closed)
            try:
                yield served
            except Wrong as wrong:
                # Whatever the check made of the silence, this is its cause.
                if run_errors.EXEC_FORMAT in served.log():
                    raise self.wrong_architecture(image, ref) from wrong
                raise
        finally:
            if made is not None:
                with contextlib.suppress(Exception):
                    made.remove(force=True, v=True)

    @contextlib.contextmanager
    def volume(self) -> Iterator[str]:
        """The name of an empty volume that is removed after."""
        made = self.docker.volumes.create(labels=leftovers.labels())
        try:
            yield str(made.name)
        finally:
            with contextlib.suppress(Exception):
                made.remove(force=True)

    @contextlib.contextmanager
    def starts(
        self,
        image: str,
        port: int,
        contract: Contract | str,
        *,
        env: dict[str, str] | None = None,
        arguments: Sequence[str] = (),
        once: str = "",
        reaches: str = "",
        ends: str = "",
        called: str = "",
    ) -> Iterator[Iterator[Served]]:
        """Start a learner's image twice, the second time on the files that the first one left.

        It runs where it reaches nothing: not the internet, and nothing else that this machine
        has (`_alone`). Its contract is asked as soon as it runs, and again after what is done to
        it. What is wrong only then, or only at the second start, is told as that.

        Args:
            image: what to run.
            port: where it listens inside.
            contract: what it answers whenever it runs; or why it has none.
            env: variables.
            arguments: what follows the image's name.
            once: why one start is enough, if it is.
            reaches: why it may reach what is outside, if it may.
            ends: why the contract cannot be asked again after, if it cannot.
            called: how messages name the image, if not by its own name.

        Raises:
            Wrong: there is no such image (`no-image`), or its contract is broken, or as in
                `container`.
        """
        self.image(image)
        starts = 0

        def each(served: Served) -> Iterator[Served]:
            nonlocal starts
            starts = 1
            yield from around(served)
            if not once:
                starts = 2
                served.restart(called or image)
                yield from around(served)
                starts = 0  # what is seen after both is not the second one's

        def around(served: Served) -> Iterator[Served]:
            self.keeps(contract, served)
            yield served
            if not ends:
                self.keeps(contract, served, "asked again")

        anywhere: AbstractContextManager[dict[str, Any]] = contextlib.nullcontext({})
        try:
            with (
                anywhere if reaches else self._alone() as where,
                self.container(
                    image, port=port, env=env, arguments=arguments, called=called, **where
                ) as served,
            ):
                yield each(served)
        except Wrong as wrong:
            raise (wrong.at("at its second start") if starts == 2 else wrong) from wrong.__cause__

    def keeps(self, contract: Contract | str, served: Served, when: str = "") -> None:
        """Ask a service what it answers whenever it runs.

        Args:
            contract: its contract; or why it has none.
            served: the service.
            when: at which time it is asked, as a message says it.

        Raises:
            Wrong: it answers something else.
        """
        if isinstance(contract, str):
            return
        try:
            for facts in contract(served, self.draw):
                see(self, facts)
        except Wrong as wrong:
            raise (wrong.at(when) if when else wrong) from wrong.__cause__

    @contextlib.contextmanager
    def _alone(self) -> Iterator[dict[str, Any]]:
        """Where a container reaches nothing, as arguments of `container`.

        A network without a way out publishes no port: the service is asked at its own address.
        Where this machine is not on Docker's networks (Docker Desktop, rootless, a remote one),
        the network only lacks what brings answers back from outside: ports that this machine
        publishes to all are still reached.
        """
        about = self.docker.info()
        rootless = any("rootless" in option for option in about.get("SecurityOptions") or ())
        local = self._variable("DOCKER_HOST").startswith("unix://") and sys.platform == "linux"
        if local and not rootless and about.get("OperatingSystem") != _DESKTOP:
            with self.network(internal=True) as name:
                yield {"closed": name}
        else:
            with self.network(options={_ANSWERS: "false"}) as name:
                yield {"network": name}

    @contextlib.contextmanager
    def network(self, **more: Any) -> Iterator[str]:
        """The name of a network that is removed after.

        Args:
            more: what else the SDK's `networks.create` takes, e.g. `internal`.
        """
        made = self.docker.networks.create(
            f"course-{secrets.token_hex(4)}", labels=leftovers.labels(), **more
        )
        try:
            yield str(made.name)
        finally:
            with contextlib.suppress(Exception):
                made.remove()

    def alias(self, network: str, name: str) -> dict[str, Any]:
        """What gives a container a name of its own in a network (`networking_config`)."""
        return {network: self.docker.api.create_endpoint_config(aliases=[name])}

    def wrong_architecture(self, ref: str, called: str = "") -> Wrong:
        """Why an image of another processor is no answer.

        Args:
            ref: the image.
            called: how messages name it, if not by its own name.
        """
        is_for = str(self.image(ref).attrs["Architecture"])
        return run_errors.other_processor(called or ref, is_for, arch())

    # -- the registry

    def manifest(self, repository: str, tag: str) -> tuple[str, dict[str, Any]] | None:
        """Digest and manifest that `$REGISTRY` serves for a tag, or `None`."""
        return Repository(self.registry, repository).manifest(tag)

    def digests(self, repository: str) -> dict[str, tuple[str, ...]]:
        """Tag → the digests that may be its image's id here, on either of Docker's image stores.

        That is the image which this machine would pull: an index may hold others beside it.

        Args:
            repository: its name in `$REGISTRY`; without such a repository there are no tags.
        """
        there = Repository(self.registry, repository)
        found = {tag: there.ids(tag, arch()) for tag in there.names()}
        return {tag: ids for tag, ids in found.items() if ids}

    def labels(self, repository: str, tag: str) -> dict[str, str]:
        """The labels of an image in `$REGISTRY`; none if it is not there or of several platforms.

        Args:
            repository: the image's name.
            tag: its tag.
        """
        return Repository(self.registry, repository).labels(tag)

    # -- the cluster

    @property
    def api(self) -> Kubernetes:
        """The API of the cluster, in the namespace of the kubeconfig's context.

        Raises:
            CourseError: there is no kubeconfig, or it cannot be read.
        """
        from course.measure.kube_api import Kubernetes

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
        from course.measure.kube_api import items

        return items(self.api.select(kind, query))

    # -- time, and what is drawn

    @contextlib.contextmanager
    def observe(self, label: str) -> Iterator[None]:
        """Declare what runs inside as observation: its seconds are told apart.

        Inside another observation it is a part of that one.
        """
        if self._observing:
            yield
            return
        self._observing = True
        began = time.monotonic()
        try:
            with waiting.shown(f"{label}, for {self.id}"):
                yield
        finally:
            self._observing = False
            self.observed.append((label, round(time.monotonic() - began, 2)))

    @property
    def draw(self) -> Draw:
        """What this check makes up, from one seed."""
        self.drawn = self.drawn or Draw()
        return self.drawn

    def note(self, text: str) -> None:
        """Say something about a right answer that is worth noticing."""
        self.notes.append(text)


class Served(Container):
    """A container that should answer HTTP.

    Args:
        made: the SDK's container.
        port: where it listens inside.
        closed: the network without a way out that it runs in; empty for Docker's own.
    """

    def __init__(self, made: Any, port: int, closed: str = "") -> None:
        super().__init__(made)
        self._port, self._closed = port, closed

    def address(self) -> tuple[str, int] | None:
        """Where it is reached from this machine, or `None` while nothing is bound."""
        self._made.reload()
        if self._closed:
            # This machine is on each network of its own Docker.
            joined = self._made.attrs["NetworkSettings"]["Networks"][self._closed]
            return (joined["IPAddress"], self._port) if joined["IPAddress"] else None
        bound = self._made.ports.get(f"{self._port}/tcp")
        return ("127.0.0.1", int(bound[0]["HostPort"])) if bound else None

    def get_once(self) -> tuple[int, str]:
        """Status and body of one `GET /`, asked once; status 0 if nothing answers."""
        at = self.address()
        with contextlib.suppress(OSError, http.client.HTTPException, _Endless):
            return _ask(at, "GET", "/", None) if at else (0, "")
        return 0, ""

    def get(self, path: str, *, wait: float = 10.0) -> tuple[int, str]:
        """`ask` with GET."""
        return self.ask("GET", path, wait=wait)

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, wait: float = 10.0
    ) -> tuple[int, str]:
        """Status and body of a request, asked again until the service has started.

        Args:
            method: e.g. `PUT`.
            path: path and query, sent as they are.
            body: what to send.
            wait: deadline in seconds.

        Returns:
            Status 0 and the container's log if it ended or does not answer in time.

        Raises:
            Wrong: an answer begins and does not end (`answer-endless`).
        """

        def once() -> tuple[int, str] | None:
            self._made.reload()
            if self._made.status in ("exited", "dead"):
                return 0, self.log()
            at = self.address()
            # Where nothing answers, it has not started yet, or has ended.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return _ask(at, method, path, body) if at else None
            return None

        try:
            return waiting.eventually(once, wait=wait, pause=0.1) or (0, self.log())
        except _Endless as answer:
            raise run_errors.endless(f"{method} {path}", path, str(answer)) from answer

    def why_no_answer(self, ref: str, want: str) -> Wrong:
        """Why it does not answer: it runs and does not listen, or it has ended.

        Args:
            ref: its image, as the learner names it.
            want: what should answer.
        """
        return run_errors.no_reply(self._without_reply(), ref, self._port, want)

    def hear(self, path: str, *, wait: float = 10.0) -> Heard:
        """Ask with GET until the service has started.

        Args:
            path: path and query, sent as they are.
            wait: deadline in seconds.

        Returns:
            The reply, or how the container is without one.

        Raises:
            Wrong: an answer begins and does not end (`answer-endless`).
        """
        status, body = self.get(path, wait=wait)
        return Reply(status, body) if status else self._without_reply()

    def _without_reply(self) -> Heard:
        code = self.exit_code()
        return Running() if code is None else Ended(code, self.log())

    def restart(self, ref: str) -> None:
        """End it at once and start it again, on the files that it left.

        Args:
            ref: its image, as the learner names it.

        Raises:
            Wrong: Docker cannot start it again (`cannot-start`).
        """
        import docker.errors

        self.stop(grace=0)
        try:
            self._made.start()
        except docker.errors.APIError as error:
            raise run_errors.cannot_start(ref, str(error.explanation or error)) from error

    def last_line(self) -> str:
        """The line of its log that says most of its end."""
        return telling_line(self.log())

    def run(self, *argv: str) -> str:
        """The output of a command in the running container."""
        return self.output(*argv).decode(errors="replace").strip()

    def put_beside(self, name: str, text: str) -> None:
        """Write a file where its first process works, so that its program finds it by that name.

        Args:
            name: a path below that folder.
            text: the file's text.
        """
        # A shell that has started the program may have left the image's folder before.
        here = self.run("node", "-p", "require('fs').readlinkSync('/proc/1/cwd')")
        folder = here if here.startswith("/") else self.folder()
        self.put(name, text.encode(), mode=0o644, folder=folder)

    def ask_programs(self, option: str) -> list[str]:
        """What each program that runs in it answers to an option, e.g. `--version`.

        They are started once more by the kernel's own link to their file: neither a name on PATH
        nor what a process calls itself can stand for another program.
        """
        left, said = len(self.processes()), list[str]()
        until = time.monotonic() + _PROGRAMS_WAIT
        for number in range(1, _MOST_PROCESSES):
            if not left or time.monotonic() > until:
                break
            answer = self.run(f"/proc/{number}/exe", option)
            # Docker's own words where there is no such process; or it says nothing at all.
            if answer and "exec failed" not in answer:
                left -= 1
                said.append(answer)
        return said


class _Endless(Exception):  # noqa: N818 - told as a wrong answer
    """An answer that has begun and does not end."""


def _ask(at: tuple[str, int], method: str, path: str, body: bytes | None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*at, timeout=_READ_TIMEOUT)
    over = threading.Event()

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):
            # What waits for the next byte is woken by this, and not by a close.
            held.shutdown(socket.SHUT_RDWR)

    connection.connect()
    held = connection.sock
    # Each read has a deadline of its own; bytes that come one by one would keep it for ever.
    clock = threading.Timer(_REQUEST_TIMEOUT, end)
    clock.daemon = True
    clock.start()
    length = 0
    try:
        connection.request(method, path, body, headers={"Connection": "close"})
        answer = connection.getresponse()
        content = answer.read(_MOST_ANSWER + 1)
        length = len(content)
        if length > _MOST_ANSWER:
            raise _Endless(f"it is longer than {_MOST_ANSWER / 1e6:.0f} MB")
        if not over.is_set():
            return answer.status, content.decode(errors="replace")
    except (OSError, http.client.HTTPException):
        if not over.is_set():
            raise
    finally:
        clock.cancel()
        connection.close()
    raise _Endless(f"{length} bytes in {_REQUEST_TIMEOUT:.0f} s")
