"""Processor, memory, disk, and the limits that the kernel sets."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shutil
import sys
from pathlib import Path

import psutil

from course.core import environment, paths
from course.core.names import ORDERS
from course.engine.doctor.finding import Finding, Machine

LEAST_MEMORY_GB = 5
LEAST_DISK_GB = {False: 15, True: 3}
"""Before the course is up, and when all images are there."""
INOTIFY = {"max_user_instances": (128, 512), "max_user_watches": (8192, 524288)}
"""The least on which one node runs, and what kind advises for several."""
_CONTROLLERS = {"cpu", "memory", "pids"}


def processor(machine: Machine) -> list[Finding]:
    """Images and tools exist for two kinds of processor."""
    name = platform.machine().lower()
    ok = name in ("x86_64", "amd64", "aarch64", "arm64")
    try_ = "use a machine with an amd64 or arm64 processor"
    return [Finding("processor", ok, f"{platform.system()} {name}", try_)]


def memory(machine: Machine) -> list[Finding]:
    """The machine's own memory."""
    total = psutil.virtual_memory().total / 1e9
    try_ = f"use a machine, or give the virtual machine, {LEAST_MEMORY_GB} GB or more"
    return [Finding("memory", total >= LEAST_MEMORY_GB, f"{total:.1f} GB", try_)]


def disk(machine: Machine) -> list[Finding]:
    """Room for images and caches, and for the learner's own files."""
    up = environment.has(ORDERS)
    cache, work = (_existing(p) for p in (paths.cache(), paths.work()))
    free = shutil.disk_usage(cache).free / 1e9
    least = LEAST_DISK_GB[up]
    found = [
        Finding(
            "disk",
            free >= least,
            f"{free:.1f} GB free at {cache}",
            f"free {least} GB there, or set COURSE_CACHE to a folder on a larger disk",
        )
    ]
    room = shutil.disk_usage(work).free / 1e9
    if room < 0.1:
        try_ = "free some space there, or set COURSE_WORK to another folder"
        found.append(Finding("disk of work/", False, f"{room:.2f} GB free at {work}", try_))
    return found


def _existing(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())


def cgroups(machine: Machine) -> list[Finding]:
    """The kernel's accounts of memory and processor, without which no limit holds."""
    if not machine.file("/proc").exists():
        return []  # not Linux: Docker's own virtual machine has them
    two = machine.file("/sys/fs/cgroup/cgroup.controllers")
    if two.exists():
        lacking = sorted(_CONTROLLERS - set(two.read_text().split()))
        saw = f"version 2, without {', '.join(lacking)}" if lacking else "version 2"
        try_ = "start the kernel with cgroup_enable=memory, or use a Docker that is not rootless"
        return [Finding("cgroups", not lacking, saw, try_)]
    if machine.file("/sys/fs/cgroup/memory").exists():
        return [Finding("cgroups", True, "version 1; it works, and Docker will drop it")]
    try_ = "mount them: mount -t cgroup2 none /sys/fs/cgroup"
    return [Finding("cgroups", False, "none at /sys/fs/cgroup", try_)]


def inotify(machine: Machine) -> list[Finding]:
    """How many files may be watched: kubelet and the learner's editor share the limit."""
    found = []
    for name, (least, good) in INOTIFY.items():
        file = machine.file(f"/proc/sys/fs/inotify/{name}")
        if not file.exists():
            continue
        limit = int(file.read_text())
        what = name.removeprefix("max_user_")
        try_ = f"sudo sysctl fs.inotify.{name}={good}"
        used_up = name == "max_user_instances" and instances_are_used_up()
        saw = f"all {limit} are in use" if used_up else f"{limit}"
        found.append(Finding(f"inotify {what}", limit >= least and not used_up, saw, try_))
    return found


def instances_are_used_up() -> bool:
    """Whether this user gets no further inotify instance; tried."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    made = libc.inotify_init1(0)
    if made == -1:
        return ctypes.get_errno() == errno.EMFILE
    os.close(made)
    return False
