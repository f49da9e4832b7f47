"""`course up` beside plain kind, and how soon JupyterLab answers.

It takes the running cluster down and brings it back.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
_NOTHING, _RESTART = "from nothing running", "as after a restart of the machine"


@dataclass(frozen=True)
class _Start:
    """A warm start: every cache is there."""

    command: tuple[str, ...]
    state: str  # what was there before
    reached: str
    bound: float | None = None  # seconds


_STARTS = (
    _Start(_LAB, _NOTHING, "JupyterLab answering", 15),
    _Start(_LAB, _RESTART, "JupyterLab answering", 15),
    _Start(_HEADLESS, _RESTART, "the first lesson's result", 40),
    _Start(_HEADLESS, _NOTHING, "the first lesson's result"),
)
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
    yield from map(_warm_start, _STARTS)


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


def _warm_start(start: _Start) -> Row:
    seconds = []
    for _ in range(PAIRS):
        if start.state == _NOTHING:
            up.down(lambda what, _: None)
        else:
            _end_docker()
        results.quiet()
        seconds.append(timed(lambda: _make(start.command)))
        until(up.complete, "all of course up", wait=600, pause=1)
    slowest = max(seconds)
    return Row(
        f"warm {' '.join(start.command)}, {start.state}, to {start.reached}",
        f"{statistics.median(seconds):.1f} s, at most {slowest:.1f} s",
        f"< {start.bound} s" if start.bound else "",
        slowest < (start.bound or float("inf")),
        f"{PAIRS} runs, caches there, Docker stopped; {results.machine()}",
        SUBJECT,
    )


def _end_docker() -> None:
    """End JupyterLab, and the Docker that the course started, with the cluster's node in it."""
    jupyterlab.stop()
    docker = detect.containers(default_runner(), environment.current())
    docker.stop()
    assert not docker.answers(), "this Docker is not the course's own: it cannot be stopped here"


def _make(command: tuple[str, ...]) -> None:
    subprocess.run(command, cwd=paths.ROOT, check=True, capture_output=True, timeout=300)
    assert jupyterlab.url() is not None
