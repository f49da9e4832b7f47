"""A process of somebody else's that has got the number of one of ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from course.core import locks


@contextmanager
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that must not be ended."""
    process = subprocess.Popen(["sleep", "60"])
    try:
        yield process
        assert process.poll() is None, "what is not ours was ended"
    finally:
        process.kill()
        process.wait()


def recycled(foreign: subprocess.Popen[bytes]) -> str:
    """The name of a process of ours that is gone, whose number the foreign one has now."""
    pid, started, space = locks.process_key(foreign.pid).split("-")
    return f"{pid}-{int(started) - 100}-{space}"
