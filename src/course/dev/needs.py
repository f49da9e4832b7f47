"""How much of the engine things need, and how long building that takes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course.artifacts import gobuild, images, node_image, packages, tools
from course.core import environment, manifest, paths
from course.core.errors import CourseError
from course.core.names import CLUSTER, CONTAINERS, ORDERS
from course.core.process import Runner, default_runner
from course.dev.fingerprint import Conditions
from course.dev.things import Kind, Thing
from course.engine import detect, up
from course.engine.addons import traefik
from course.measure.docker_client import client


@dataclass(frozen=True)
class Level:
    """A part of what `course up` makes, on top of the level before it.

    Args:
        gives: the capability that lessons ask for.
        step: the last step of `course up` that belongs to it.
        tools: keys of `tools.CATALOGUE`.
        images: keys of `images.catalogue()`.
    """

    gives: str
    step: str
    tools: tuple[str, ...]
    images: tuple[str, ...]


LEVELS = (
    Level(
        CONTAINERS,
        "frontend",
        ("docker", "buildx"),
        (*up.LESSON_IMAGES, "registry:2", up.FRONTEND),
    ),
    Level(
        CLUSTER,
        "gateway",
        ("kind", "kubectl"),
        (f"kindest/node:{tools.KUBERNETES}", traefik.IMAGE),
    ),
    Level(ORDERS, "orders", (), ("postgres:15",)),
)


def level(thing: Thing, course: manifest.Manifest) -> int:
    """Return the index of the level that a thing needs.

    Args:
        thing: what is to be run.
        course: says what each lesson and exercise needs.
    """
    if thing.kind in (Kind.CLUSTER, Kind.BROWSER):
        return len(LEVELS) - 1
    lesson = course.lesson(thing.stem)
    needed = {*lesson.needs, *(need for e in lesson.exercises for need in e.needs)}
    return max((i for i, one in enumerate(LEVELS) if one.gives in needed), default=0)


def cost(levels: Sequence[Level], *, runner: Runner | None = None) -> float:
    """Return the seconds of building that these levels begin, from what is missing here.

    An estimate stops no run: what cannot be told counts as nothing.

    Args:
        levels: the first ones of `LEVELS`.
        runner: runs docker.
    """
    with contextlib.suppress(CourseError):
        return _cost(levels, runner or default_runner())
    return 0.0


def _cost(levels: Sequence[Level], runner: Runner) -> float:
    docker = detect.containers(runner)
    answers = docker.answers()
    env = {"DOCKER_HOST": docker.host(), "PATH": _path()}
    refs: Iterable[str] = [ref for one in levels for ref in one.images]
    wanted = [name for one in levels for name in one.tools if not (answers and name == "docker")]
    sources = [source for name in wanted for source in _missing(name)]
    if answers:
        lacking = images.lacking(refs, runner=runner, env=env)
    elif docker_data():
        lacking = set()  # what Docker kept is not known before it runs; as a rule it is all there
    else:
        lacking = _with_bases(refs)
    for ref in lacking:
        image = images.catalogue()[ref]
        sources += [source for source in image.files.values() if source.startswith("go:")]
        if image.recipe == "kind-node":
            sources += [f"go:{module}/" for module in node_image.MODULES]
    known = [source for source in sources if source.split(":")[1].split("/")[0] in gobuild.tools()]
    return sum(images.catalogue()[ref].cost for ref in lacking) + packages.missing_seconds(known)


def _path() -> str:
    """The variable PATH with the course's own docker, which may be the only one."""
    return f"{paths.state() / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


def docker_data() -> bool:
    """Say whether the course's own Docker has kept anything here."""
    return (paths.cache() / "docker").exists()


def _missing(name: str) -> list[str]:
    there = any(all(entry.exists() for entry in place) for place in tools.places(name))
    return [] if there else list(tools.CATALOGUE[name].commands.values())


def _with_bases(refs: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for ref in refs:
        found |= {ref} | _with_bases(images.catalogue()[ref].from_)
    return found


def image_store(info: Mapping[str, Any]) -> str:
    """Say where a Docker keeps images: `containerd` or `graph drivers`.

    Args:
        info: what Docker says of itself.
    """
    status = str(info.get("DriverStatus") or "")
    return "containerd" if "io.containerd.snapshotter" in status else "graph drivers"


def conditions(*, runner: Runner | None = None) -> Conditions:
    """Say what things run on here, also before the engine has started.

    Args:
        runner: runs docker.
    """
    docker = detect.containers(runner or default_runner())
    known = environment.current()
    name = os.environ.get("COURSE_ENGINE") or (known.name if known else detect.KNOWN[0])
    store = "containerd"  # of a Docker that the course starts
    if docker.answers():
        store = image_store(client(docker.host()).info())
    return Conditions(name, store, tools.KUBERNETES)
