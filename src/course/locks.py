"""One process at a time, and which process it was."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from course.errors import CourseError


@contextmanager
def held(file: Path, *, wait: float, what: str, try_: str) -> Iterator[None]:
    """Hold a lock; it goes with the process, however that ends.

    Args:
        file: the lock's file.
        wait: deadline in seconds.
        what: who may hold it, for the message.
        try_: what to do about it.

    Raises:
        CourseError: it is still held after the deadline.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CourseError(what, "its end", try_) from None
                time.sleep(0.05)
        yield


def me() -> str:
    """This process, so that another can tell later whether it still lives: `pid-start time`."""
    return f"{os.getpid()}-{psutil.Process().create_time():.0f}"


def is_of_ours(pid: int) -> bool:
    """Whether a process names processes as we do: one in a container counts them anew.

    What runs in a container is seen from outside, under another number than its own `me()` says.
    """
    ours, its = (Path(f"/proc/{p}/ns/pid") for p in ("self", pid))
    try:
        return its.readlink() == ours.readlink()
    except OSError:
        return not ours.parent.exists()  # a system without namespaces


def lives(process: str) -> bool:
    """Whether the process that `me()` named still lives; pids are given out again."""
    pid, started = process.split("-")
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 2
    except psutil.NoSuchProcess:
        return False
