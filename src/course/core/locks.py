"""One process at a time; and which process it was, the same way wherever one is remembered."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from course.core.errors import CourseError

if TYPE_CHECKING:
    import psutil


@contextmanager
def hold(file: Path, *, wait: float, what: str, try_: str) -> Iterator[None]:
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
        _take(lock, wait, what, try_)
        yield


def wait_until_free(file: Path, *, wait: float, what: str, try_: str) -> None:
    """Wait until no process holds another program's file by flock(2); one not there is free.

    Args:
        file: it is not written to.
        wait: deadline in seconds.
        what: who may hold it, for the message.
        try_: what to do about it.

    Raises:
        CourseError: it is still held after the deadline.
    """
    with contextlib.suppress(FileNotFoundError), file.open("rb") as lock:
        _take(lock, wait, what, try_)


def _take(lock: IO[Any], wait: float, what: str, try_: str) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise CourseError(what, "its end", try_) from error
            time.sleep(0.05)


def process_key(pid: int | None = None) -> str:
    """Return what tells a process from every other, so that another can ask later if it is alive.

    Args:
        pid: its number now; by default this process.

    Returns:
        `pid-start-space`: pids are given out again, so it holds the start as well; and processes
        in a container are counted separately, so it holds whose numbers these are. The start is
        empty if there is no such process.
    """
    pid = os.getpid() if pid is None else pid
    return f"{pid}-{_started(pid)}-{_space()}"


def is_alive(key: str) -> bool:
    """Return whether a process has not ended; True also if that cannot be seen from here.

    Args:
        key: of `process_key`.
    """
    pid, started, space = (key.split("-") + ["", ""])[:3]
    if space != _space() or not pid.isdecimal():
        return True
    return bool(started) and _started(int(pid)) == started


def find_process(key: str) -> psutil.Process | None:
    """Return a process that is to be signalled: `None` unless it is surely that one, and alive.

    Args:
        key: of `process_key`.
    """
    import psutil

    pid, _, rest = key.partition("-")
    if not pid.isdecimal() or rest.rpartition("-")[2] != _space():
        return None
    try:
        # First held, then compared: psutil signals no other process that gets the number later.
        found = psutil.Process(int(pid))
    except (psutil.NoSuchProcess, OverflowError):
        return None
    return found if is_alive(key) else None


def recorded_key(record: Mapping[str, object]) -> str:
    """Return the key of a process in a record; empty if it is not known there.

    Args:
        record: holds `process`, or `pid` and `started` (seconds since the epoch) where an older
            version of the course wrote it.
    """
    if "process" in record:
        return str(record["process"])
    import psutil

    try:
        pid, started = int(str(record["pid"])), float(str(record["started"]))
        same = abs(psutil.Process(pid).create_time() - started) < 2
    except (psutil.NoSuchProcess, KeyError, ValueError, OverflowError):
        return ""
    return process_key(pid) if same else ""


def _space() -> str:
    """Names the system or container whose numbers of processes are ours."""
    try:
        return "".join(filter(str.isdigit, str(Path("/proc/self/ns/pid").readlink())))
    except OSError:
        return ""  # a system without namespaces


def _started(pid: int) -> str:
    """When a process started; empty if it has ended, even if its parent has not taken note."""
    try:
        # In ticks since the machine's start: psutil's time moves when the clock is set.
        # A program's name in it is cut after 15 bytes, be that within a letter.
        told = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2]
        words = told.decode().split()
        return "" if words[0] in "ZX" else words[19]
    except OSError:
        if sys.platform == "linux":
            return ""
    import psutil

    try:
        return f"{psutil.Process(pid).create_time():.0f}"
    except psutil.NoSuchProcess:
        return ""
