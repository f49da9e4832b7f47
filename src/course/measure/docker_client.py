"""Which Docker is meant, whether it answers, and a client of its SDK."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from course.core import inherited
from course.core.errors import CourseError

TLS_VARIABLES = ("DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")


def refused(host: str) -> CourseError | None:
    """Why the course cannot work with what is at this address; `None` if it may.

    What the course publishes is bound to 127.0.0.1 of the machine that Docker is on, so that this
    must be the machine that we are on.

    Args:
        host: what `DOCKER_HOST` holds.
    """
    scheme, _, rest = host.partition("://")
    here = "unset DOCKER_HOST (or: docker context use default), and start Docker on this machine"
    if scheme == "ssh":
        socket_ = "/tmp/course-docker.sock"  # noqa: S108 - an example for a learner
        return CourseError(
            f"{_whose()} is {_safe(host)}: the course's programs do not speak ssh (Docker's Python "
            "library would need paramiko), and what they publish would be on that machine",
            "a Docker on this machine, at unix:// or tcp://",
            f"{here}; or run the course over there; or, if its ports are forwarded to here: "
            f"ssh -fNT -L {socket_}:/var/run/docker.sock {rest.rpartition('@')[2]}, "
            f"and DOCKER_HOST=unix://{socket_}",
        )
    if scheme == "npipe":
        return CourseError(
            f"{_whose()} is {host}, a pipe of Windows",
            "an address that Linux and macOS have: unix:// or tcp://",
            "in WSL: turn on its integration in Docker Desktop's settings, and: unset DOCKER_HOST",
        )
    if scheme not in ("unix", "tcp") or not rest:
        return CourseError(
            f"{_whose()} is `{_safe(host)}`",
            "an address like unix:///var/run/docker.sock",
            here,
        )
    try:
        name, _ = urlsplit(host).hostname, urlsplit(host).port
    except ValueError as error:
        return CourseError(f"{_whose()} is `{_safe(host)}`: {error}", "tcp://HOST:PORT", here)
    if scheme == "tcp" and not _is_here(name or ""):
        return CourseError(
            f"{_whose()} is {_safe(host)}, another machine: what the course publishes there at "
            "127.0.0.1 cannot be reached from here",
            "a Docker on this machine",
            f"{here}; or run the course over there",
        )
    return None


def _whose() -> str:
    return "DOCKER_HOST" if os.environ.get("DOCKER_HOST") else "the address of docker's context"


def _safe(host: str) -> str:
    """An address without a name or password in it."""
    scheme, _, rest = host.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme else host


def _is_here(name: str) -> bool:
    """Whether a name is this machine's, or no machine's: then nobody will answer."""
    import psutil

    if inherited.is_loopback(name):
        return True
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}
    except OSError:
        return True
    ours = {address.address for every in psutil.net_if_addrs().values() for address in every}
    return any(inherited.is_loopback(address) or address in ours for address in found)


def answers(host: str) -> bool:
    """Whether a Docker that the course can work with answers here within three seconds."""
    if host.startswith("unix://") and not Path(host.removeprefix("unix://")).exists():
        return False
    return not refused(host) and not fault(host)


def fault(host: str) -> str:
    """Why nobody answers at this address within three seconds; empty if somebody does."""
    try:
        return "" if client(host, timeout=3).ping() else "no answer to a ping"
    except Exception as error:  # as many as there are ways not to answer
        return str(error) or type(error).__name__


def client(host: str, timeout: int = 60) -> Any:
    """A Docker SDK client, with the certificates of the environment where it names some.

    Args:
        host: what `DOCKER_HOST` holds.
        timeout: seconds for each call.
    """
    import docker

    env = {"DOCKER_HOST": host}
    if host.startswith("tcp://"):
        env |= {name: os.environ[name] for name in TLS_VARIABLES if os.environ.get(name)}
    return docker.from_env(environment=env, timeout=timeout)
