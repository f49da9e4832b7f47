"""`course up` beside plain kind, and how soon JupyterLab answers.

It takes the running cluster down and brings it back.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from course.core import environment, paths
from course.core.process import default_runner
from course.dev import results
from course.dev.results import Row
from course.engine import detect, jupyterlab, kind, tasks, up
from tests.until import until

PAIRS = 3
_LAB = ("make", "start")
_HEADLESS = ("make", "start", "HEADLESS=1")
_BOUNDS = {
    _LAB: ("warm make start, from nothing running to JupyterLab answering", 15),
    _HEADLESS: (
        "warm make start HEADLESS=1, from nothing running to the first lesson's result",
        40,
    ),
}
SUBJECT = (
    "src/course/engine",
    "src/course/core/environment.py",
    "src/course/start.py",
)


def rows() -> Iterator[Row]:
    """The set-up's figures."""
    up.up(tasks.Display())
    environment.apply()
    try:
        yield _beside_kind()
    finally:
        up.up(tasks.Display())
    yield _warm_start(_LAB)
    yield _warm_start(_HEADLESS)


def timed(do: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def _beside_kind() -> Row:
    of = environment.current()
    assert of is not None
    ours = detect.cluster(of, detect.containers(default_runner(), of).commands())
    assert isinstance(ours, kind.Kind)
    binary = paths.state() / "bin" / "kind"
    config = ours.config(kind.node_facts(default_runner()))
    ratios, plain_s, ours_s = [], [], []
    for _ in range(PAIRS):
        ours.stop()
        plain_s.append(timed(lambda: _plain(binary, config, ours)))
        default_runner().run([binary, "delete", "cluster", "--name", "course"], timeout=180)
        ours_s.append(timed(lambda: ours.ensure(lambda what, share: None)))
        ratios.append(ours_s[-1] / plain_s[-1])
    ratio = statistics.median(ratios)
    return Row(
        "the cluster of course up beside plain kind create cluster, to every system pod ready",
        f"{ratio:.2f} times: {statistics.median(ours_s):.1f} s, {statistics.median(plain_s):.1f} s",
        "≤ 1.15",
        ratio <= 1.15,
        f"median of {PAIRS} pairs, the same image and configuration; {results.machine()}",
        SUBJECT,
    )


def _plain(binary: Path, config: str, ours: kind.Kind) -> None:
    argv = [binary, "create", "cluster", "--name", "course", "--image", kind.NODE_IMAGE]
    argv += ["--kubeconfig", paths.kubeconfig(), "--config", "-"]
    default_runner().run(argv, timeout=300, input=config)
    until(lambda: not ours.not_ready(), "the cluster", wait=240, pause=1)


def _warm_start(command: tuple[str, ...]) -> Row:
    name, bound = _BOUNDS[command]
    seconds = []
    for _ in range(PAIRS):
        up.down(lambda what, _: None)
        seconds.append(timed(lambda: _make(command)))
        until(up.complete, "all of course up", wait=600, pause=1)
    slowest = max(seconds)
    return Row(
        name,
        f"{statistics.median(seconds):.1f} s, at most {slowest:.1f} s",
        f"< {bound} s",
        slowest < bound,
        f"{PAIRS} runs, caches there, Docker stopped; {results.machine()}",
        SUBJECT,
    )


def _make(command: tuple[str, ...]) -> None:
    subprocess.run(command, cwd=paths.ROOT, check=True, capture_output=True, timeout=300)
    assert jupyterlab.url() is not None
