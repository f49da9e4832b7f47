"""course.measure.traffic.worker: the generator's process on a disk that fills."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from course.core import locks
from course.measure.traffic.feed import FILE, Reader
from course.measure.traffic.plan import Plan
from course.measure.traffic.worker import Worker


def test_a_disk_that_fills_ends_the_run_and_loses_nothing_that_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan("http://orders.localhost:1/", 50.0, 3000.0, lease=locks.process_key())
    written = 0
    real = os.write

    def write(fd: int, data: bytes) -> int:
        nonlocal written
        if written > 400:
            raise OSError(28, "No space left on device")
        done = real(fd, data[:100])
        written += done
        return done

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space left"):
        asyncio.run(asyncio.wait_for(Worker(tmp_path, plan).run(), 60))
    reader = Reader(tmp_path / FILE, 50)
    assert list(reader.read())
    assert reader.end is None  # so the run says that it died
