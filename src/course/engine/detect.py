"""Which engine this machine gets, and how each one is made: nothing else names their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from course.artifacts import debian
from course.core import environment, paths
from course.core.errors import CourseError
from course.core.process import Runner
from course.engine.base import Cluster, ContainerEngine
from course.engine.docker import Docker
from course.engine.env_runner import EnvRunner
from course.engine.kind import NODE_IMAGE, Kind
from course.engine.local_registry import Registry
from course.measure.docker_client import refused


@dataclass(frozen=True)
class Maker:
    """How an engine is made.

    Args:
        containers: makes its `ContainerEngine` of what runs commands.
        cluster: makes its `Cluster` of what is recorded and what reaches its containers.
        images: those that its nodes run.
    """

    containers: Callable[[Runner], ContainerEngine]
    cluster: Callable[[environment.Engine, Runner], Cluster]
    images: tuple[str, ...] = ()


def _kind(of: environment.Engine, runner: Runner) -> Kind:
    reaching = EnvRunner(runner, {"KUBECONFIG": str(paths.kubeconfig())})
    registry = Registry(of.ports["registry"], reaching)
    return Kind(reaching, registry, of.ports["http"], of.ports["https"])


ENGINES: dict[str, Maker] = {"kind": Maker(Docker, _kind, (NODE_IMAGE,))}
"""Every engine, by the name that `COURSE_ENGINE` gives it; the first is the one by default."""
KNOWN = tuple(ENGINES)


def containers(runner: Runner, of: environment.Engine | None = None) -> ContainerEngine:
    """The container engine of what is recorded, or of the engine by default.

    Args:
        runner: runs commands.
        of: which engine; by default the recorded one.

    Raises:
        CourseError: an engine of another version of the course is recorded.
    """
    of = of or environment.current() or environment.Engine(KNOWN[0])
    return _maker(of).containers(runner)


def cluster(of: environment.Engine, runner: Runner) -> Cluster:
    """The cluster of an engine.

    Args:
        of: which engine, its ports chosen.
        runner: runs commands that reach its containers: `ContainerEngine.commands()`.

    Raises:
        CourseError: it is an engine of another version of the course.
    """
    return _maker(of).cluster(of, runner)


def _maker(of: environment.Engine) -> Maker:
    if of.name not in ENGINES:
        raise CourseError(
            f"the engine `{of.name}` was set up, which this version of the course does not know",
            f"one of: {', '.join(KNOWN)}",
            "git pull; then: course status",
        )
    return ENGINES[of.name]


def found(env: Mapping[str, str], runner: Runner) -> str:
    """The name of the engine that this machine gets.

    Args:
        env: the environment.
        runner: runs commands.

    Raises:
        CourseError: no engine can be had here.
    """
    docker = Docker(runner)
    if wrong := refused(docker.host()):
        raise wrong
    return choose(env, docker_answers=docker.answers, may_install=debian.is_root_on_debian)


def choose(
    env: Mapping[str, str],
    *,
    docker_answers: Callable[[], bool],
    may_install: Callable[[], bool],
) -> str:
    """The engine's name.

    `COURSE_ENGINE` decides; else Docker if it answers; else, as root on Debian or Ubuntu,
    a Docker that the course installs and starts. Never by sudo.

    Args:
        env: the environment.
        docker_answers: whether a Docker answers.
        may_install: whether Docker may be installed without asking.

    Raises:
        CourseError: an unknown name, or no engine can be had.
    """
    asked = env.get("COURSE_ENGINE", "")
    if asked and asked not in KNOWN:
        raise CourseError(
            f"COURSE_ENGINE is `{asked}`", f"one of: {', '.join(KNOWN)}", "make start ENGINE=kind"
        )
    if docker_answers() or may_install():
        return asked or KNOWN[0]
    raise CourseError(
        "no Docker answers, and the course installs one only as root on Debian or Ubuntu",
        "a running Docker 24 or later",
        "install Docker Desktop or Docker Engine, start it, then: course doctor; make start",
    )
