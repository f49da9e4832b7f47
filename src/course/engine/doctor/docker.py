"""Docker, and what in it has a name that the course uses."""

from __future__ import annotations

import os
import re
import shutil
import socket

from course.artifacts import debian, images
from course.core import environment
from course.core.names import CLUSTER_NAME, OWNER_LABEL, REGISTRY_NAME
from course.engine import detect
from course.engine.base import OLDEST_DOCKER
from course.engine.doctor.finding import Finding, Machine
from course.engine.doctor.hardware import LEAST_MEMORY_GB
from course.engine.env_runner import EnvRunner
from course.measure.docker_client import fault, refused

_INSTALL = "https://docs.docker.com/engine/install/"


def engine(machine: Machine) -> list[Finding]:
    """Whether a Docker answers, and if not, why."""
    host, info = machine.docker_host, machine.docker_info
    if wrong := refused(host):
        return [Finding("Docker", False, wrong.saw, wrong.try_)]
    if info is not None:
        version = str(info.get("ServerVersion", ""))
        ok = tuple(int(n) for n in re.findall(r"\d+", version)[:2]) >= OLDEST_DOCKER
        saw = f"{version} answers at {host}"
        try_ = f"update Docker to {OLDEST_DOCKER[0]} or later: {_INSTALL}"
        return [Finding("Docker", ok, saw, try_)]
    if machine.docker_fault:
        saw = f"{host} answers a ping, not `docker info`: {machine.docker_fault}"
        return [Finding("Docker", False, saw, "restart Docker")]
    return [_no_answer(machine, host)]


def _no_answer(machine: Machine, host: str) -> Finding:
    if debian.is_root_on_debian() and not machine.env.get("DOCKER_HOST"):
        return Finding("Docker", True, "none answers yet; course up installs and starts one")
    if _forbidden(host):
        try_ = "sudo usermod -aG docker $USER   then log out and in again"
        return Finding("Docker", False, f"this user may not use {host}", try_)
    if shutil.which("docker"):
        try_ = "start Docker Desktop, or: sudo systemctl start docker"
        if machine.env.get("DOCKER_HOST"):
            try_ = f"start what DOCKER_HOST names, {host}, or: unset DOCKER_HOST"
        why = f" ({error})" if (error := fault(host)) and host.startswith("tcp://") else ""
        return Finding("Docker", False, f"stopped: nobody answers at {host}{why}", try_)
    return Finding("Docker", False, "not installed", _INSTALL)


def _forbidden(host: str) -> bool:
    path = host.removeprefix("unix://")
    if path == host:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
        except PermissionError:
            return True
        except OSError:
            return False
    return False


def memory(machine: Machine) -> list[Finding]:
    """What Docker itself has: Docker Desktop runs in a virtual machine with a limit of its own."""
    info = machine.docker_info
    if info is None:
        return []
    total = int(info["MemTotal"]) / 1e9
    desktop = "Docker Desktop" in str(info.get("OperatingSystem"))
    where = "Docker Desktop: Settings, Resources, Memory" if desktop else "the machine Docker is on"
    try_ = f"give it {LEAST_MEMORY_GB} GB or more: {where}"
    return [Finding("Docker's memory", total >= LEAST_MEMORY_GB, f"{total:.1f} GB", try_)]


def snap(machine: Machine) -> list[Finding]:
    """A Docker out of a snap sees neither /tmp nor hidden folders, and kind fails on it."""
    info = machine.docker_info or {}
    command = shutil.which("docker", path=machine.env.get("PATH")) or ""
    is_snap = "/snap/" in f"{info.get('DockerRootDir', '')} {command} {os.path.realpath(command)}"
    if not is_snap:
        return []
    try_ = f"sudo snap remove docker   then install it anew: {_INSTALL}"
    return [Finding("Docker's package", False, "Docker is installed as a snap", try_)]


def cluster(machine: Machine) -> list[Finding]:
    """A kind cluster named course that is not this course's."""
    if not machine.containers(label=f"io.x-k8s.kind.cluster={CLUSTER_NAME}"):
        return []
    ours = environment.current()
    reaching = EnvRunner(machine.runner, machine.variables)
    if ours and ours.ports and detect.cluster(ours, reaching).ours():
        return [Finding("the cluster's name", True, f"the cluster {CLUSTER_NAME} is ours")]
    saw = f"a kind cluster named {CLUSTER_NAME} that this course, in this account, did not make"
    try_ = f"if nobody needs it: kind delete cluster --name {CLUSTER_NAME}; then: course up"
    return [Finding("the cluster's name", False, saw, try_)]


def registry(machine: Machine) -> list[Finding]:
    """A container with the name of the course's registry that is not the course's."""
    named = machine.containers(name=f"^/?{REGISTRY_NAME}$")
    key, value = OWNER_LABEL.split("=")
    if not named or named[0]["Labels"].get(key) == value:
        return []
    saw = f"a container {REGISTRY_NAME} that this course did not make ({named[0]['Image']})"
    try_ = f"docker rename {REGISTRY_NAME} {REGISTRY_NAME}-mine"
    return [Finding("the registry's name", False, saw, try_)]


def architecture(machine: Machine) -> list[Finding]:
    """Images of the course's names for another processor."""
    if machine.docker_info is None:
        return []
    wrong = images.foreign(runner=machine.runner, env=machine.variables)
    return [
        Finding(f"image {ref}", False, f"it is for {is_for}", f"docker image rm {ref}")
        for ref, is_for in wrong.items()
    ]
