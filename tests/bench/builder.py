"""The builder on the whole course."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from course.core import manifest, paths
from course.dev import build, results
from course.dev.results import Row

RUNS = 5
_BUILD = "from course.dev import build; from course.core import paths; build.build(paths.ROOT)"


def rows() -> Iterator[Row]:
    """Seconds to make every notebook from its source, in a fresh process."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _BUILD], check=True, timeout=120)
        seconds.append(time.perf_counter() - began)
    median, made = statistics.median(seconds), build.build(paths.ROOT)
    lessons = len(manifest.load().lessons)
    yield Row(
        "the builder on the whole course",
        f"{median:.2f} s, {1000 * median / len(made):.0f} ms a notebook",
        "< 2 s",
        median < 2,
        f"median of {RUNS} fresh processes, {lessons} lessons; {results.machine()}",
        ("src/course/dev/build.py", "content"),
    )
