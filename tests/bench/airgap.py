"""Everything from package registries alone, with nothing cached.

It stops what runs, takes ten to twenty-five minutes and 20 GB, and brings back what ran.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import psutil

from course.core import paths
from course.dev import results
from course.dev.results import Row
from course.engine import up
from tests.bench import commands


def rows() -> Iterator[Row]:
    """Wall and processor time of `course up` from empty, beside the same from the caches."""
    up.down(lambda what, _: None)
    warm, _ = commands.run("up")
    up.down(lambda what, _: None)
    with tempfile.TemporaryDirectory(prefix="airgap-", dir=paths.cache().parent) as temporary:
        env = {"COURSE_OFFLINE": "1"}
        env |= {f"COURSE_{name}": f"{temporary}/{name.lower()}" for name in ("CACHE", "STATE")}
        command = [sys.executable, "-m", "course.cli"]
        before, began = _busy(), time.perf_counter()
        try:
            subprocess.run([*command, "up"], env=os.environ | env, check=True, timeout=4800)
            wall, busy = time.perf_counter() - began, _busy() - before
        finally:
            subprocess.run([*command, "down", "--purge"], env=os.environ | env, check=False)
    commands.run("up")
    yield Row(
        "course up with every image and tool assembled, from empty caches",
        f"{wall / 60:.1f} min, {busy / 60:.1f} min of processor time; {wall / warm:.0f} times warm",
        conditions=f"warm: {warm:.0f} s; {results.machine()}",
        subject=("airgap", "src/course/artifacts/images.py", "src/course/artifacts/node_image.py"),
    )


def _busy() -> float:
    """Seconds that all processors have worked since the machine started."""
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))
