"""The ways in which start states and checks look at the world. All of them have a deadline."""

from __future__ import annotations

import contextlib
import difflib
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.core import paths, waiting
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import default_runner
from course.exercises.kit import build_errors, clients, run_errors
from course.exercises.kit.copy import GENERATED, Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.served import Served
from course.exercises.kit.starts import Contract, Starts
from course.exercises.kit.verdict import Wrong
from course.learner import progress
from course.measure import leftovers
from course.measure.registry_client import Repository

if TYPE_CHECKING:
    from course.measure.kube_api import Kubernetes

_BOUNDS: dict[str, Any] = {
    # Of a program that nobody knows: it may fork, allocate and print without end.
    "mem_limit": "256m",
    "pids_limit": 512,
    # In files that `docker logs` reads, whatever the machine's own way is.
    "log_config": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "2"}},
}
"""What a container of a check may use of the machine."""
_BUILD_WAIT = 300.0
_DESKTOP = "Docker Desktop"
_ANSWERS = "com.docker.network.bridge.enable_ip_masquerade"


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
    def docker(self) -> Any:
        """A Docker SDK client; see `clients.docker`."""
        return clients.docker()

    def env(self) -> dict[str, str]:
        """The engine's variables; see `clients.env`."""
        return clients.env()

    @property
    def registry(self) -> str:
        """`$REGISTRY`."""
        return clients.variable("REGISTRY")

    @property
    def namespace(self) -> str:
        """`$COURSE_NAMESPACE`, the namespace of the kubeconfig's context."""
        return clients.variable("COURSE_NAMESPACE")

    @property
    def orders_url(self) -> str:
        """`$ORDERS_URL`: the gateway's scheme and port."""
        return clients.variable("ORDERS_URL")

    def run(self, *argv: object, wait: float = _BUILD_WAIT, check: bool = True) -> str:
        """The output of one command with the engine's variables."""
        return default_runner().run(argv, timeout=wait, env=self.env(), check=check).stdout

    # -- builds, images and containers

    @contextlib.contextmanager
    def copy(self, without: tuple[str, ...] = GENERATED, any_base: str = "") -> Iterator[Copy]:
        """A copy of the learner's folder to build, edit and rebuild; removed after.

        Its builds may begin with the course's images and with what a registry serves; one that
        needs another image of this machine is wrong (`base-only-here`).

        Args:
            without: names of files and folders that are left out.
            any_base: why its builds may stand on an image that only this machine has, if they may.
        """
        with self.observe("a copy of your folder"):
            made = Copy(self.id, self.folder(), without, any_base)
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

    def still(self, ref: str) -> str:
        """What to add to a message while an image is the start state's own; else nothing.

        Raises:
            Wrong: there is no such image (`no-image`).
        """
        if self.image(ref).id != self.recall("made"):
            return ""
        other = self.other_tags(ref)
        return f"  ({ref} is still the start's image" + (f"; there is `{other}`)" if other else ")")

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
        image: str | Copy,
        *,
        port: int,
        env: dict[str, str] | None = None,
        closed: str = "",
        arguments: Sequence[str] = (),
        **more: Any,
    ) -> Iterator[Served]:
        """Run an image as a service, with nothing of the machine in it, and remove it after.

        An image for another processor is a wrong answer (`architecture`), unless this machine
        emulates that processor.

        Args:
            image: what to run, also what a copy has built; only these variables, and no mounts
                but those in `more`.
            port: where it listens inside.
            env: variables.
            closed: a network without a way out to run it in (`network`).
            arguments: what follows the image's name.
            more: what else the SDK's `containers.create` takes, e.g. `volumes`, `entrypoint`.

        Raises:
            Wrong: Docker cannot start it (`cannot-start`; `arguments-lost` if it has arguments).
        """
        import docker.errors

        ref, called = _named(image)
        made, bounds = None, _BOUNDS | more
        if arguments:
            bounds["command"] = list(arguments)
        bounds["memswap_limit"] = bounds["mem_limit"]  # no swap beside it
        # Docker publishes no port of a network that has no way out.
        bounds |= {"network": closed} if closed else {"ports": {f"{port}/tcp": ("127.0.0.1", 0)}}
        try:
            try:
                made = self.docker.containers.create(
                    ref,
                    labels=leftovers.labels(),
                    environment=env or {},
                    **bounds,
                )
                made.start()
            except docker.errors.APIError as error:
                if "platform" in str(error) or run_errors.EXEC_FORMAT in str(error):
                    raise self.wrong_architecture(ref, called) from error
                said = str(error.explanation or error)
                if arguments:
                    raise run_errors.arguments_lost(called, arguments, said) from error
                raise run_errors.cannot_start(called, said) from error
            served = Served(made, port, closed)
            try:
                yield served
            except Wrong as wrong:
                # Whatever the check made of the silence, this is its cause.
                if run_errors.EXEC_FORMAT in served.log():
                    raise self.wrong_architecture(ref, called) from wrong
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
        image: str | Copy,
        port: int,
        contract: Contract | str,
        *,
        env: dict[str, str] | None = None,
        once: str = "",
        reaches: str = "",
        ends: str = "",
        where: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> Iterator[Iterator[Served]]:
        """Start a learner's image twice, the second time on the files that the first one left.

        It runs where it reaches nothing: not the internet, and nothing else that this machine
        has (`alone`). Its contract is asked as soon as it runs, and again after what is done to
        it. What is wrong only then, or only at the second start, is told as that.

        Args:
            image: what to run.
            port: where it listens inside.
            contract: what it answers whenever it runs; or why it has none.
            env: variables.
            once: why one start is enough, if it is.
            reaches: why it may reach what is outside, if it may.
            ends: why the contract cannot be asked again after, if it cannot.
            where: what it reaches beside it: a network that the check has made by `alone`.
            more: see `container`, e.g. `arguments` or `volumes`.

        Raises:
            Wrong: there is no such image (`no-image`), or its contract is broken, or as in
                `container`.
        """
        ref, called = _named(image)
        self.image(ref)
        started = Starts(self, contract, ref=called, once=bool(once), ends=bool(ends))
        given: AbstractContextManager[dict[str, Any]] = contextlib.nullcontext(dict(where or {}))
        try:
            with (
                given if where or reaches else self.alone() as place,
                self.container(image, port=port, env=env, **more, **place) as served,
            ):
                yield started.each(served)
        except Wrong as wrong:
            raise started.told(wrong) from wrong.__cause__

    def serves(self, image: str | Copy, port: int, contract: Contract, **more: Any) -> None:
        """Start a learner's image twice, and only ask for its contract.

        Args:
            image: what to run.
            port: where it listens inside.
            contract: what it answers whenever it runs.
            more: see `starts`.

        Raises:
            Wrong: as in `starts`.
        """
        with self.starts(image, port, contract, **more) as starts:
            for _ in starts:
                pass

    @contextlib.contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        """Where a container reaches nothing, as arguments of `container`.

        A network without a way out publishes no port: the service is asked at its own address.
        Where this machine is not on Docker's networks (Docker Desktop, rootless, a remote one),
        the network only lacks what brings answers back from outside: ports that this machine
        publishes to all are still reached.
        """
        about = self.docker.info()
        rootless = any("rootless" in option for option in about.get("SecurityOptions") or ())
        local = clients.variable("DOCKER_HOST").startswith("unix://") and sys.platform == "linux"
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

    def lost(self, repository: str, tag: str) -> tuple[str, ...]:
        """The digests that this machine needs to pull an image and `$REGISTRY` does not have.

        Args:
            repository: the image's name.
            tag: its tag.
        """
        return Repository(self.registry, repository).lost(tag, arch())

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
        """The API of the cluster; see `clients.kubernetes`."""
        return clients.kubernetes()

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


def _named(image: str | Copy) -> tuple[str, str]:
    """An image's own name, and how messages name it."""
    return (image.tag, image.called) if isinstance(image, Copy) else (image, image)
