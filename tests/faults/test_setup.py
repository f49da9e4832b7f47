"""The set-up, interrupted at each of its steps and run again, comes to the same end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from functools import partial
from typing import Any

import psutil
import pytest

from course.core import environment, locks, paths, steps
from course.core.process import OWNER, default_runner
from course.engine import tasks, up
from tests.until import until

COURSE = [sys.executable, "-m", "course.cli"]
STEPS = ("docker", "images", "registry", "cluster", "gateway", "orders")
UP_WAIT = 600.0


def lines(*argv: str) -> list[str]:
    return sorted(default_runner().run(argv, timeout=60).stdout.splitlines())


def end_state() -> dict[str, Any]:
    """All that a set-up makes, without what differs from run to run."""
    environment.apply()
    engine = environment.current()
    assert engine is not None
    pods = json.loads(
        default_runner()
        .run(["kubectl", "get", "deployments", "-A", "-o", "json"], timeout=60)
        .stdout
    )
    return {
        "engine": (engine.name, engine.has, engine.ports),
        "containers": lines("docker", "ps", "--all", "--format", "{{.Names}} {{.Image}}"),
        "networks": lines("docker", "network", "ls", "--format", "{{.Name}}"),
        "volumes": lines("docker", "volume", "ls", "--filter", "name=course", "--quiet"),
        "deployments": {
            item["metadata"]["name"]: item["status"].get("readyReplicas") for item in pods["items"]
        },
        "half-made": [str(p) for p in paths.cache().glob("*/.part-*")]
        + [str(p) for p in paths.cache().glob("scratch/*")],
    }


def orphans() -> list[str]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(OWNER):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def state(step: str, process: subprocess.Popen[str]) -> str:
    """The state of a set-up's step, or that the set-up has ended."""
    if process.poll() is not None:
        return "ended"
    run = steps.read()
    found = run.steps if run and run.process == locks.process_key(process.pid) else []
    return next((s.state for s in found if s.name == step), "waiting")


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    up.up(tasks.Display())
    return end_state()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda s: s.name)
def test_interrupted_at_every_step_it_comes_to_the_same_end(
    how: signal.Signals, whole: dict[str, Any]
) -> None:
    up.down(lambda what, _: None)
    assert orphans() == []
    for step in STEPS:
        process = subprocess.Popen([*COURSE, "up"], stderr=subprocess.PIPE, text=True)

        now = partial(state, step, process)
        until(
            lambda: now() != "waiting",  # noqa: B023 - called in here
            f"the step {step}",
            wait=UP_WAIT,
            pause=0.01,
        )
        time.sleep(0.05)
        assert now() == "running", f"the step {step} has gone by, uninterrupted"
        process.send_signal(how)
        _, said = process.communicate(timeout=60)
        if how == signal.SIGINT:
            # An interruption is told in one line, never as a traceback, and ends what it began.
            assert "Traceback" not in said
            assert orphans() == []
    up.up(tasks.Display())
    assert orphans() == []
    assert end_state() == whole
