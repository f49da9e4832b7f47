"""The builder on the whole course."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from course import build, manifest, paths, results
from course.results import Row

RUNS = 5


def rows() -> Iterator[Row]:
    """Seconds to make every notebook from its source."""
    seconds = []
    for _ in range(RUNS):
        began = time.perf_counter()
        made = build.build(paths.ROOT)
        seconds.append(time.perf_counter() - began)
    median = statistics.median(seconds)
    lessons = len(manifest.load().lessons)
    yield Row(
        "the builder on the whole course",
        f"{median:.2f} s, {1000 * median / len(made):.0f} ms a notebook",
        "< 2 s",
        median < 2,
        f"median of {RUNS}, {lessons} lessons; {results.machine()}",
        ("src/course/build.py", "content"),
    )
