"""What a finder is given, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from course.core import environment, inherited
from course.core.process import Runner, default_runner
from course.engine import detect
from course.measure.docker_client import answers, client

DEADLINE = 3.0
"""Seconds that one probe may take."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        what: what was looked at.
        ok: whether it is good enough; `None` where that cannot be told.
        saw: what was found.
        try_: the one thing to do.
    """

    what: str
    ok: bool | None
    saw: str
    try_: str = ""

    def __str__(self) -> str:
        mark = {True: "✓", False: "✗", None: "·"}[self.ok]
        line = f"{mark} {self.what}: {self.saw}"
        return line if self.ok is not False else f"{line}\n  try:  {self.try_}"


@dataclass
class Machine:
    """The machine that is looked at.

    Args:
        runner: runs commands.
        root: where its files are read; another folder in tests.
        env: its environment, as this process was given it.
    """

    runner: Runner = field(default_factory=default_runner)
    root: Path = Path("/")
    env: Mapping[str, str] = field(default_factory=inherited.before)
    docker_fault: str = field(default="", init=False)
    """Why a Docker that answers a ping does not say what it is, once `docker_info` was asked."""

    def file(self, path: str) -> Path:
        """A file of this machine, e.g. `/proc/net/route`."""
        return self.root / path.lstrip("/")

    @cached_property
    def docker_host(self) -> str:
        """Where Docker should answer."""
        return detect.containers(self.runner).host()

    @cached_property
    def docker_info(self) -> Mapping[str, Any] | None:
        """What `docker info` says, or `None` if no Docker answers, or not this one."""
        if not answers(self.docker_host):
            return None
        try:
            found: Mapping[str, Any] = client(self.docker_host, timeout=3).info()
        except Exception as error:  # as many as there are ways to be unwell
            self.docker_fault = str(error)
            return None
        return found

    @cached_property
    def variables(self) -> dict[str, str]:
        """With which the docker command reaches the Docker that is looked at."""
        engine = environment.current()
        known = environment.environment() if engine and engine.env else {}
        return {**known, "DOCKER_HOST": self.docker_host}

    def containers(self, **filters: str) -> list[Mapping[str, Any]]:
        """Docker's containers, running or not, as its API lists them."""
        if self.docker_info is None:
            return []
        api = client(self.docker_host, timeout=3).api
        return list(api.containers(all=True, filters=filters))


Finder = Callable[[Machine], list[Finding]]
