"""What is wrong with this machine, and the one thing to do."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from course import debian, engines, paths
from course.engines import ports
from course.engines.docker import Docker
from course.run import Runner, runner

LEAST_MEMORY_GB = 5
LEAST_DISK_GB = 15
LEAST_INOTIFY = 512


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        what: what was looked at.
        ok: whether it is good enough.
        saw: what was found.
        try_: the one thing to do.
    """

    what: str
    ok: bool
    saw: str
    try_: str = ""

    def __str__(self) -> str:
        line = f"{'✓' if self.ok else '✗'} {self.what}: {self.saw}"
        return line if self.ok else f"{line}\n  try:  {self.try_}"


def examine(*, using: Runner | None = None) -> list[Finding]:
    """Look at everything that is known to go wrong."""
    using = using or runner()
    return [
        _machine(),
        _memory(),
        _disk(),
        _docker(using),
        *_ports(),
        *_inotify(),
        _certificates(),
    ]


def _machine() -> Finding:
    machine = platform.machine().lower()
    ok = machine in ("x86_64", "amd64", "aarch64", "arm64")
    return Finding("processor", ok, f"{platform.system()} {machine}", "amd64 or arm64 is needed")


def _memory() -> Finding:
    total = psutil.virtual_memory().total / 1e9
    return Finding(
        "memory",
        total >= LEAST_MEMORY_GB,
        f"{total:.1f} GB",
        f"give the machine, or Docker Desktop's, {LEAST_MEMORY_GB} GB or more",
    )


def _disk() -> Finding:
    folder = next(p for p in (paths.cache(), *paths.cache().parents) if p.exists())
    free = shutil.disk_usage(folder).free / 1e9
    return Finding(
        "disk",
        free >= LEAST_DISK_GB,
        f"{free:.0f} GB free at {folder}",
        f"free {LEAST_DISK_GB} GB, or set COURSE_CACHE to a larger disk",
    )


def _docker(using: Runner) -> Finding:
    docker = Docker(using)
    host = docker.host()
    if docker.answers():
        return Finding("Docker", True, f"answers at {host}")
    if debian.is_root_on_debian():
        return Finding("Docker", True, "none answers yet; course up installs and starts one")
    if shutil.which("docker"):
        return Finding(
            "Docker", False, f"does not answer at {host}", "start Docker, then: make start"
        )
    return Finding("Docker", False, "not installed", "https://docs.docker.com/engine/install/")


def _ports() -> list[Finding]:
    engine = engines.current()
    if engine is None or engine.env:
        return []
    return [
        Finding(
            f"port {port}",
            not ports.taken(port),
            "taken" if ports.taken(port) else "free",
            f"end what listens there (ss -ltnp | grep {port}), or let course up choose another",
        )
        for port in engine.ports.values()
    ]


def _inotify() -> list[Finding]:
    file = Path("/proc/sys/fs/inotify/max_user_instances")
    if not file.exists():
        return []
    limit = int(file.read_text())
    # 128 is what Linux gives; one node runs on it, but a desktop beside it uses it up.
    return [
        Finding(
            "inotify instances",
            limit >= 128,
            str(limit),
            f"sudo sysctl fs.inotify.max_user_instances={LEAST_INOTIFY}",
        )
    ]


def _certificates() -> Finding:
    found = Path("/etc/ssl/certs/ca-certificates.crt").exists() or platform.system() != "Linux"
    return Finding(
        "certificates", found, "found" if found else "none", "apt-get install ca-certificates"
    )
