"""A machine behind the simulated internet: its own processes, mounts, network, and a Docker.

Its network reaches the gate and nothing else: there is no other route. Everything in it ends with
its first process, which ends with us, however we end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from course.artifacts import debian
from course.core import waiting
from course.measure.docker_client import answers
from tests.internet import releases

CONTAINERD, GRAPH = "containerd", "graph drivers"
STORES = {CONTAINERD: True, GRAPH: False}
"""Where Docker keeps images → whether containerd does it."""
TRUSTED = "/etc/ssl/certs/ca-certificates.crt"
_NETWORK = "10.213"
_START_WAIT = 60.0
_INIT = """
set -e
mount -t tmpfs tmpfs /run
mount --bind "$1/resolv.conf" "$(realpath /etc/resolv.conf)"
ip link set lo up
touch "$1/ready"
# Reaps whatever is left without a parent.
while :; do sleep 3600 & wait $!; done
"""


class Machine:
    """One machine; everything of it lies in `folder`.

    Args:
        number: of its network: two at a time need two numbers.
    """

    def __init__(self, number: int = os.getpid() % 200 + 20) -> None:
        # Not pytest's folder: the address of a socket is at most 107 bytes long.
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=f"road-{os.getpid()}-"))
        self.gate = f"{_NETWORK}.{number}.1"
        """The address of the gate, on the host's side."""
        self._address = f"{_NETWORK}.{number}.2"
        self._link = f"road{number}"
        self._docker = releases.there("docker")
        self._unshared: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Machine:
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        if debian.is_root_on_debian():
            debian.ensure(["iproute2", "iptables", "tini"], lambda *_: None)
        # realpath: the machine's own file may be a link into what a tmpfs is laid over.
        (self.folder / "resolv.conf").write_text(f"nameserver {self.gate}\n")
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"]
        argv += ["--kill-child", "--mount-proc", "--propagation", "private"]
        argv += ["bash", "-c", _INIT, "bash", str(self.folder)]
        self._unshared = subprocess.Popen(argv, start_new_session=True)
        wait_for(lambda: (self.folder / "ready").exists() or self._ended(), "the machine")
        assert not self._ended(), "the machine could not be made"
        self._first = psutil.Process(self._unshared.pid).children()[0].pid
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self._first)
        _ip("address", "add", f"{self.gate}/24", "dev", self._link)
        _ip("link", "set", self._link, "up")
        for words in (
            ["address", "add", f"{self._address}/24", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
        ):
            self.run("ip", *words)

    def _ended(self) -> bool:
        return self._unshared is not None and self._unshared.poll() is not None

    def close(self) -> None:
        """End everything in it."""
        if self._unshared is not None:
            self._unshared.kill()
            self._unshared.wait()
            # Its first process dies with it, and with that one the rest and the network.
            waiting.eventually(lambda: self._link not in psutil.net_if_addrs(), wait=20, pause=0.05)
        shutil.rmtree(self.folder, ignore_errors=True)

    def enter(self, *argv: object) -> list[str]:
        """The words that run a command in it."""
        # The root as well: who enters a mount namespace out of a chroot is in the outer root.
        inside = ["nsenter", "--target", str(self._first), "--net", "--mount", "--pid", "--root"]
        return [*inside, *map(str, argv)]

    def run(
        self,
        *argv: object,
        env: Mapping[str, str] | None = None,
        cwd: Path = Path("/"),
        wait: float = 60,
        log: Path | None = None,
    ) -> str:
        """Run a command in it to its end; what it printed.

        Args:
            argv: program and arguments.
            env: all variables that it gets.
            cwd: folder.
            wait: seconds; then it is ended.
            log: a file for the output instead.
        """
        words = self.enter("sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", cwd, *argv)
        with contextlib.ExitStack() as stack:
            sink: Any = stack.enter_context(log.open("ab")) if log else subprocess.PIPE
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=env
            )
            try:
                out, _ = process.communicate(timeout=wait)
            except BaseException:
                for child in psutil.Process(process.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        child.send_signal(signal.SIGKILL)
                process.kill()
                process.wait()
                raise
        said = (out or b"").decode(errors="replace")
        assert process.returncode == 0, f"{argv[0]}: exit code {process.returncode}\n{said}"
        return said

    @contextlib.contextmanager
    def docker(
        self, store: str, env: Mapping[str, str], *options: object, room: int = 0
    ) -> Iterator[str]:
        """A Docker of the machine's, as an administrator set it up.

        Args:
            store: a key of `STORES`.
            env: the service's variables: a proxy, whom to trust.
            options: more of dockerd.
            room: megabytes for its images; 0 for what the disk has.

        Yields:
            What `DOCKER_HOST` must be.
        """
        here = Path(tempfile.mkdtemp(prefix="docker-", dir=self.folder))
        data = here / "data"
        data.mkdir()
        if room:
            self.run("mount", "-t", "tmpfs", "-o", f"size={room}m", "tmpfs", data)
        host = f"unix://{here}/docker.sock"
        files = self._docker
        bin_ = linked(files, here / "bin")
        argv = [files["dockerd"], "--host", host, "--data-root", data, "--exec-root", here / "run"]
        argv += ["--pidfile", here / "docker.pid", "--config-file", _empty(here)]
        argv += ["--userland-proxy-path", files["docker-proxy"], "--init-path", "/usr/bin/tini"]
        argv += ["--feature", f"containerd-snapshotter={str(STORES[store]).lower()}", *options]
        log = here / "dockerd.log"
        path = f"{bin_}:/usr/sbin:/usr/bin:/sbin:/bin"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                self.enter(*argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={"PATH": path, **env},
                start_new_session=True,
            )
        try:
            wait_for(lambda: answers(host) or process.poll() is not None, "dockerd", log)
            assert process.poll() is None, log.read_text()[-2000:]
            yield host
        finally:
            for child in psutil.Process(process.pid).children() if process.poll() is None else ():
                child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            if process.poll() is None:
                process.kill()
                process.wait()
            # A tmpfs of images goes with the machine; a folder of them would only lie about.
            shutil.rmtree(data, ignore_errors=True)

    def trust(self, bundle: Path) -> None:
        """Let the whole machine trust what a file holds, as an administrator does it."""
        self.run("mount", "--bind", bundle, os.path.realpath(TRUSTED))

    def room(self, host: str, megabytes: int) -> None:
        """Give a Docker whose disk was bounded another bound."""
        data = Path(host.removeprefix("unix://")).with_name("data")
        self.run("mount", "-o", f"remount,size={megabytes}m", data)


def _sweep() -> None:
    """Remove the folders of who was killed: the kernel ended all else."""
    for left in Path(tempfile.gettempdir()).glob("road-*-*"):
        pid = left.name.split("-")[1]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _empty(folder: Path) -> Path:
    """Settings of nobody's: the machine's /etc/docker is somebody's."""
    file = folder / "daemon.json"
    file.write_text("{}")
    return file


def linked(files: Mapping[str, Path], folder: Path) -> Path:
    """A folder for PATH with these commands."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        (folder / name).symlink_to(file)
    return folder


def wait_for(ready: Any, what: str, log: Path | None = None, wait: float = _START_WAIT) -> None:
    """Wait until something is so; a deadline fails the test."""
    if not waiting.eventually(ready, wait=wait, pause=0.05):
        said = log.read_text(errors="replace")[-2000:] if log else ""
        raise AssertionError(f"waited {wait:.0f} s for {what}\n{said}")


def _ip(*words: object) -> None:
    subprocess.run(["ip", *map(str, words)], check=True, timeout=20)
