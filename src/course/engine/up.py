"""`course up` and `course down`: what has to be true, in the order in which it is needed.

Containers first, so that lesson 1 does not wait for Kubernetes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from course.artifacts import images, packages, tools
from course.core import environment, locks, paths, private
from course.core.errors import CourseError
from course.core.names import CLUSTER, CONTAINERS, ORDERS
from course.core.process import OWNER, Runner, default_runner
from course.core.report import Report
from course.engine import addons, detect, jupyterlab, ports
from course.engine import tasks as tasks_
from course.engine.addons import addon, orders, traefik
from course.engine.base import Cluster
from course.engine.env_runner import EnvRunner
from course.engine.tasks import Task

LESSON_IMAGES = ("node:24-slim", "node:20-slim")
FRONTEND = "docker/dockerfile:1"
PORTS = {"registry": 5001, "http": 8080, "https": 8443}
_LOCK_WAIT = 5400.0
_NODE = "node"
_IMAGES = "images"
"""The names under which what the node is told, and what Docker got, is recorded, beside the
add-ons'."""


def engine() -> environment.Engine:
    """What is running, or a new record with the engine that this machine gets.

    Raises:
        CourseError: no engine can be had here.
    """
    known = environment.current()
    if known is not None and known.env:
        return known
    name = detect.found(os.environ, default_runner())
    return environment.Engine(name, {}, [], known.ports if known else {})


def tasks(of: environment.Engine, runner: Runner) -> list[Task]:
    """Everything that `course up` makes true, in order."""
    docker = detect.containers(runner, of)

    def cluster() -> Cluster:
        return detect.cluster(of, docker.commands())

    def add(env: dict[str, str], *has: str) -> None:
        of.env |= env
        of.has = sorted({*of.has, *has})
        environment.save(of)

    def start_docker(report: Report) -> None:
        docker.ensure(report)
        _choose_ports(of, docker.commands())
        # Also where the cluster will be: JupyterLab's terminals get it before it is there.
        add({**docker.environment(), **cluster().environment()})

    def lesson_images(report: Report) -> None:
        reaching = docker.commands()
        for ref in LESSON_IMAGES:
            images.ensure(ref, report, runner=reaching)
        nodes = tools.NODES.items()
        tools.link({n: packages.resolve(s, report, runner=reaching) for n, s in nodes})

    def registry(report: Report) -> None:
        cluster().registry.ensure(report)
        add({}, *docker.capabilities())

    def frontend(report: Report) -> None:
        images.ensure(FRONTEND, report, runner=docker.commands())

    def make_cluster(report: Report) -> None:
        ours = cluster()
        ours.ensure(report)
        addon.record({_NODE: _of_node(ours), _IMAGES: _of_images()})

    def gateway(report: Report) -> None:
        ours = cluster()
        traefik.ADDON.install(ours, report)
        add({}, *ours.capabilities())

    def service(report: Report) -> None:
        orders.ADDON.install(cluster(), report)
        add({}, ORDERS)

    # Seconds on two cores; what has been built or pulled before is there.
    first = not (paths.cache() / "docker").exists()
    docker_seconds, cluster_seconds = 2.0, 15.0
    if not docker.answers():
        docker_seconds += packages.missing_seconds(_sources("docker", "buildx"))
        cluster_seconds += packages.missing_seconds(_sources("kind", "kubectl"))
    made = 1.0 if first else 0.0
    return [
        Task("docker", "Docker answers", start_docker, docker_seconds),
        Task("images", "Base images for the first lessons", lesson_images, 1 + 60 * made),
        Task("registry", "A registry on this machine", registry, 1 + 10 * made, CONTAINERS),
        Task("frontend", "The front end that `# syntax=` names", frontend, 1 + 15 * made),
        Task(
            "cluster",
            "A Kubernetes cluster named course",
            make_cluster,
            cluster_seconds + 150 * made,
        ),
        Task("gateway", "Traefik, the cluster's gateway", gateway, 8 + 15 * made, CLUSTER),
        Task("orders", "The service orders answers", service, 10 + 60 * made, ORDERS),
    ]


def _sources(*names: str) -> list[str]:
    return [source for name in names for source in tools.CATALOGUE[name].commands.values()]


def _choose_ports(of: environment.Engine, runner: Runner) -> None:
    """Choose the ports that are not chosen yet; a chosen one is kept, whatever listens there."""
    taken_by_us = runner.run(
        ["docker", "ps", "--all", "--quiet", "--filter", "name=^course-"], timeout=30, check=False
    ).stdout.split()
    for name, preferred in PORTS.items():
        known = of.ports.get(name)
        if known is None or (not taken_by_us and ports.taken(known)):
            of.ports[name] = ports.free(preferred)
    environment.save(of)


def up(display: tasks_.Display, *, until: str = "") -> None:
    """Make everything true.

    Args:
        display: where progress is shown.
        until: stop after the step that gives this capability, or has this name.

    Raises:
        CourseError: a step failed.
    """
    with exclusive() as runner:
        if not paths.own_cache():
            raise _not_ours()
        of = engine()
        if not complete():
            # What was there may have gone with a restart; each step says so anew.
            docker = detect.containers(runner, of)
            still = docker.capabilities() if docker.answers() else set()
            of.has = [capability for capability in of.has if capability in still]
            environment.save(of)
        wanted = tasks(of, runner)
        if until:
            ends = [i for i, task in enumerate(wanted) if task.gives == until]
            ends += [i for i, task in enumerate(wanted) if task.name == until]
            wanted = wanted[: ends[0] + 1]
        tasks_.run(wanted, display)


def complete() -> bool:
    """Whether everything that `up` makes is recorded and answers. Fast."""
    of = environment.current()
    if of is None or ORDERS not in of.has or outdated(of):
        return False
    ours = detect.cluster(of, default_runner())
    containers = detect.containers(default_runner(), of)
    return containers.answers() and ours.registry.answers() and orders.answers(ours.http_port)


def wanted(of: environment.Engine) -> dict[str, str]:
    """The fingerprint of each thing that this version of the course gives a cluster."""
    fixed = {_NODE: _of_node(detect.cluster(of, default_runner())), _IMAGES: _of_images()}
    return fixed | {one.name: one.fingerprint() for one in addons.ALL}


def outdated(of: environment.Engine) -> list[str]:
    """What of the cluster another version of the course made, by the record of what it got."""
    got = addon.applied()
    return [name for name, fingerprint in wanted(of).items() if got.get(name) != fingerprint]


def _of_images() -> str:
    """The fingerprint of the images that Docker gets whatever a lesson needs."""
    return addon.hashed(map(images.key, (*LESSON_IMAGES, FRONTEND)))


def _of_node(of: Cluster) -> str:
    """The fingerprint of what the node is told beside its configuration."""
    return addon.hashed(of.made_from())


@contextlib.contextmanager
def exclusive() -> Iterator[Runner]:
    """One `up` or `down` at a time; a second one waits. What a killed one left behind is ended.

    Yields:
        What runs this one's commands: the next one ends them if this one is killed.
    """
    private.folder(paths.state())
    with locks.hold(
        paths.state() / "up.lock",
        wait=_LOCK_WAIT,
        what="another `course up` or `down` is at work",
        try_="course status",
    ):
        _end_orphans()
        _sweep()
        yield EnvRunner(default_runner(), {OWNER: locks.process_key()})


def _end_orphans() -> None:
    """End the commands of a set-up that was killed before it could end them itself."""
    import psutil

    orphans = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ValueError):
            owner = process.environ().get(OWNER)
            if owner and not locks.is_alive(owner):
                process.terminate()
                orphans.append(process)
    _, alive = psutil.wait_procs(orphans, timeout=10)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _sweep() -> None:
    """Remove half-made folders of the cache: what is whole has been renamed."""
    if not paths.own_cache():
        return
    for pattern in ("scratch/*", ".part-*", "*/.part-*"):
        for left in paths.cache().glob(pattern):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def down(report: Report, *, purge: bool = False) -> None:
    """End what `up` started; `work/` always stays, images and caches too unless `purge`.

    Args:
        report: told what is being done.
        purge: remove labelled images, volumes and the cache as well.
    """
    with exclusive() as runner:
        jupyterlab.stop()
        of = environment.current()
        docker = detect.containers(runner, of)
        if docker.answers():
            if of is not None and "registry" in of.ports:
                report("the cluster", None)
                detect.cluster(of, docker.commands()).stop()
            report("containers of the course", None)
            docker.remove_owned()
            if purge:
                report("images of the course", None)
                docker.purge()
        report("Docker, if the course started it", None)
        docker.stop()
        environment.forget()
        addon.forget()
        (paths.state() / "steps.json").unlink(missing_ok=True)
        if purge:
            report("caches", None)
            _remove_cache(runner)


def _not_ours() -> CourseError:
    return CourseError(
        f"{paths.cache()} holds what the course did not make",
        "a folder of the course's own for its cache: `course down --purge` removes it whole",
        f"COURSE_CACHE={paths.cache() / 'course'}",
    )


def _remove_cache(runner: Runner) -> None:
    if not paths.own_cache():
        raise _not_ours()
    # Go makes its module cache read-only, so plain removal fails half-way.
    root = paths.cache()
    if root.exists():
        runner.run(["chmod", "-R", "u+w", root], timeout=300, check=False)
        runner.run(["rm", "-rf", "--one-file-system", root], timeout=600)
