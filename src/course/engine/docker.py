"""Docker: the machine's own, or one that the course installs and starts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from course.artifacts import debian, docker_context, images, tools
from course.core import locks, paths, private
from course.core import process as process_
from course.core.errors import CourseError
from course.core.names import CGROUPS, CHECK_IMAGE, CONTAINERS, OWNER_LABEL, PROCESS_LABEL
from course.core.process import Runner
from course.core.report import Report
from course.engine import lifecycle
from course.engine.base import OLDEST_DOCKER
from course.engine.env_runner import EnvRunner
from course.engine.lifecycle import Action
from course.measure.docker_client import TLS_VARIABLES, answers, client, refused

if TYPE_CHECKING:
    import psutil

_RUN = Path("/run/course")
_START_WAIT = 60.0
_CONTAINERD_FILE = "containerd/daemon/io.containerd.metadata.v1.bolt/meta.db"
_LISTING = {"container": ("--all",), "image": ("--format", "{{.Repository}}:{{.Tag}}")}
"""An image by its name: by its digest a learner's own of the same content would go with it."""


@dataclass
class Docker:
    """A `ContainerEngine` on Docker."""

    runner: Runner
    _found_at: str = field(default="", init=False)
    """Where `ensure` found it or started it."""

    def host(self) -> str:
        """What `DOCKER_HOST` must be: the course's own Docker if it runs, else the machine's."""
        if self._found_at:
            return self._found_at
        if os.environ.get("DOCKER_HOST"):
            return os.environ["DOCKER_HOST"]
        own = _own_host()
        if answers(own):
            return own
        if shutil.which("docker") and (address := docker_context.address(self.runner)):
            return address
        return "unix:///var/run/docker.sock"

    def answers(self) -> bool:
        """Whether there is a Docker to use."""
        return answers(self.host())

    def ensure(self, report: Report) -> None:
        """See `ContainerEngine.ensure`."""
        self._found_at = ""
        lifecycle.run(self.actions(), report)

    def actions(self) -> list[Action]:
        """What has to be so, in order."""
        return [
            Action("a Docker that the course can work with", self._refuse),
            Action("a dockerd", self._install, done=self.answers),
            Action("its address", self._keep_address),
            Action("the docker command and buildx", self._tools),
            Action("a version that is new enough", self._old_enough),
        ]

    def _refuse(self, _: Report) -> None:
        if wrong := refused(self.host()):
            raise wrong

    def _install(self, report: Report) -> None:
        if not debian.is_root_on_debian():
            raise CourseError(
                f"no Docker answers at {self.host()}",
                "a running Docker",
                "start Docker Desktop or the docker service, then: course doctor",
            )
        self._start(report)

    def _keep_address(self, _: Report) -> None:
        self._found_at = self.host()

    def _old_enough(self, _: Report) -> None:
        version = client(self.host()).version()["Version"]
        numbers = tuple(int(n) for n in version.split("-")[0].split(".")[:2] if n.isdigit())
        if numbers < OLDEST_DOCKER:
            raise CourseError(
                f"Docker {version} answers at {self.host()}",
                f"Docker {OLDEST_DOCKER[0]} or later",
                "update Docker, then: make start",
            )

    def _tools(self, report: Report) -> None:
        """The docker command and buildx: the course's own only where the machine has none."""
        if self.ours() or not _has_buildx(self.runner):
            found = tools.ensure("docker", report, runner=self.runner) if self.ours() else {}
            buildx = tools.ensure("buildx", report, runner=self.runner)
            links = {"docker": found["docker"]} if found else {}
            tools.link(links)
            plugins = _own_config() / "cli-plugins"
            plugins.mkdir(parents=True, exist_ok=True)
            _share_settings(_own_config())
            target = plugins / "docker-buildx"
            target.unlink(missing_ok=True)
            target.symlink_to(buildx["docker-buildx"])

    def _config(self) -> dict[str, str]:
        # A plugin is found in one folder of settings only; it is ours where the plugin is.
        config = _own_config()
        return {"DOCKER_CONFIG": str(config)} if config.exists() else {}

    def ours(self) -> bool:
        """Whether the Docker in use is one that the course started."""
        return self.host() == _own_host()

    def _start(self, report: Report) -> None:
        lifecycle.run(self.starting(), report)

    def starting(self) -> list[Action]:
        """What has to be so where a Docker of the course's own starts, in order."""
        return [
            Action("Debian's packages", self._packages),
            Action("the programs", self._programs),
            # One that lives and does not answer would lose its socket to the next.
            Action("none of ours", lambda _: self.stop()),
            Action("its folders", self._folders),
            Action("its data, for it alone", self._await_data),
            Action("its process", self._spawn),
            lifecycle.awaited(
                "its answer", _missing_answer, wait=_START_WAIT, pause=0.2, late=_no_answer
            ),
        ]

    def _packages(self, report: Report) -> None:
        debian.ensure(debian.DOCKER, report, runner=self.runner)

    def _programs(self, report: Report) -> None:
        tools.link(tools.ensure("docker", report, runner=self.runner))

    def _folders(self, _: Report) -> None:
        # Who reaches its socket is root on this machine.
        private.folder(_RUN)
        for stale in ("docker.pid", "docker.sock"):
            (_RUN / stale).unlink(missing_ok=True)
        # Neither memory nor a small partition: images are gigabytes and stay.
        _data().mkdir(parents=True, exist_ok=True)

    def _await_data(self, report: Report) -> None:
        report("starting dockerd", None)
        # Its containerd would wait for it in silence, and dockerd give up after 15 s. Who holds it
        # may be out of sight: another container that shares the home folder.
        locks.wait_until_free(
            _data() / _CONTAINERD_FILE,
            wait=_START_WAIT,
            what=f"another Docker uses {_data()}, on this machine or in a container that shares it",
            try_="end that one (is it here: ps -C dockerd,containerd), then: course up",
        )

    def _spawn(self, report: Report) -> None:
        commands = tools.ensure("docker", report, runner=self.runner)
        argv: list[object] = [sys.executable, "-P", "-m", "course.engine.own_root"]
        argv += [commands["dockerd"], "--host", _own_host()]
        argv += ["--data-root", _data(), "--exec-root", _RUN / "docker"]
        argv += ["--pidfile", _RUN / "docker.pid", "--init-path", "/usr/bin/tini-static"]
        argv += ["--userland-proxy-path", commands["docker-proxy"]]
        process_.spawn(argv, log=_log(), env=_first_on_path(), record=remember)

    def environment(self) -> dict[str, str]:
        """See `ContainerEngine.environment`."""
        tls = {name: os.environ[name] for name in TLS_VARIABLES if os.environ.get(name)}
        over_tcp = self.host().startswith("tcp://")
        return {"DOCKER_HOST": self.host(), **(tls if over_tcp else {}), **self._config()}

    def commands(self) -> Runner:
        """See `ContainerEngine.commands`."""
        return EnvRunner(self.runner, {**self.environment(), **_first_on_path()})

    def capabilities(self) -> set[str]:
        """See `ContainerEngine.capabilities`."""
        try:
            info = client(self.host()).info()
        except Exception as error:  # as many as there are ways to be unwell
            raise CourseError(
                f"{self.host()} answers a ping, not `docker info`: {error}",
                "what this Docker can do",
                "restart Docker; then: course up",
            ) from error
        # One without root may have been given neither by the system.
        limits = info.get("MemoryLimit") and info.get("CpuCfsQuota")
        return {CONTAINERS, CGROUPS} if limits else {CONTAINERS}

    def remove_owned(self) -> None:
        """Remove what carries the course's label, and of images and volumes what checks left."""
        runner = self.commands()
        for kind, mine, remove in (
            ("container", f"label={OWNER_LABEL}", ["rm", "--force", "--volumes"]),
            ("network", f"label={OWNER_LABEL}", ["rm"]),
            ("volume", f"label={PROCESS_LABEL}", ["rm", "--force"]),
            ("image", f"reference={CHECK_IMAGE}:*", ["rm", "--force"]),
        ):
            listed = _listed(runner, kind, *_LISTING.get(kind, ()), "--filter", mine)
            if listed:
                runner.run(["docker", kind, *remove, *listed], timeout=120, check=False)

    def purge(self) -> None:
        """Remove the images that the course made or pulled, and its volumes."""
        runner = self.commands()
        images.remove(runner=runner)
        for volume in _listed(runner, "volume", "--filter", f"label={OWNER_LABEL}"):
            runner.run(["docker", "volume", "rm", "--force", volume], timeout=60, check=False)

    def stop(self) -> None:
        """See `ContainerEngine.stop`."""
        self._found_at = ""
        if not _process_file().exists():
            return
        import psutil

        process = remembered()
        if process is not None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except psutil.TimeoutExpired:
                for child in process.children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
                process.kill()
        _process_file().unlink(missing_ok=True)
        for left in ("docker.pid", "docker.sock"):
            (_RUN / left).unlink(missing_ok=True)


def _own_host() -> str:
    return f"unix://{_RUN}/docker.sock"


def _data() -> Path:
    return paths.cache() / "docker"


def _log() -> Path:
    return paths.state() / "logs" / "dockerd.log"


def _missing_answer(_: Report) -> Sequence[str]:
    """What does not answer yet of a Docker that was started."""
    if answers(_own_host()):
        return ()
    if remembered() is None:
        raise _no_answer(())
    return ("dockerd",)


def _no_answer(_: Sequence[str]) -> CourseError:
    tail = _log().read_text(errors="replace").splitlines()[-5:]
    return CourseError(
        "dockerd does not answer:\n      " + "\n      ".join(tail),
        f"an answer within {_START_WAIT:.0f} s",
        f"read {_log()}; then: course up",
    )


def _first_on_path() -> dict[str, str]:
    """PATH, with the course's tools first."""
    entries = [str(paths.state() / "bin"), *os.environ.get("PATH", "").split(os.pathsep)]
    return {"PATH": os.pathsep.join(dict.fromkeys(filter(None, entries)))}


def _listed(runner: Runner, kind: str, *options: str) -> list[str]:
    argv = ["docker", kind, "ls", "--quiet", *options]
    return runner.run(argv, timeout=60, check=False).stdout.split()


def _own_config() -> Path:
    return paths.state() / "docker-config"


def _share_settings(ours: Path) -> None:
    """Let our folder of Docker's settings hold the learner's: logins, and proxies for builds.

    By a link, which `docker login` follows: what is changed in either place is changed in both.
    """
    named = os.environ.get("DOCKER_CONFIG")
    theirs = Path(named) if named and Path(named) != ours else Path.home() / ".docker"
    link, settings = ours / "config.json", theirs / "config.json"
    if link.is_symlink():
        link.unlink()
    if settings.exists() and not link.exists():
        link.symlink_to(settings)


def _has_buildx(runner: Runner) -> bool:
    try:
        return runner.run(["docker", "buildx", "version"], timeout=20, check=False).code == 0
    except process_.CommandError:
        return False


def _process_file() -> Path:
    return paths.state() / "dockerd.json"


def remember(pid: int) -> None:
    """Record a dockerd that the course started."""
    private.write(_process_file(), json.dumps({"process": locks.process_key(pid)}))


def remembered() -> psutil.Process | None:
    """The dockerd that the course started, if it is still that process."""
    try:
        return locks.find_process(locks.recorded_key(dict(json.loads(_process_file().read_text()))))
    except (OSError, ValueError, TypeError):
        return None
