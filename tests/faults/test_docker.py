"""Docker restarts in a lesson: who is asked says so, and nothing is lost.

It ends and starts the course's own Docker, so it runs where that is the course's, and nobody works.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course import notebook
from course.core import environment as environment_
from course.core import manifest, paths
from course.core.errors import CourseError
from course.core.process import default_runner
from course.engine import tasks, up
from course.engine.docker import Docker, remembered
from course.exercises.kit import check, exercise, start
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from course.learner import progress
from course.measure import health

COURSE = [sys.executable, "-m", "course.cli"]
EXERCISE = next(e for one in manifest.load().lessons for e in one.exercises if "cluster" in e.needs)
pytestmark = pytest.mark.skipif(remembered() is None, reason="Docker is not the course's own")


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine's variables, a learner's folder of the test's own, and all up again after."""
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    for name, value in environment_.environment().items():
        if name != "COURSE_WORK":
            monkeypatch.setenv(name, value)
    yield
    if not up.complete():
        up.up(tasks.Display())


def course(*words: str) -> str:
    done = subprocess.run(
        [*COURSE, *words], capture_output=True, text=True, timeout=600, check=False
    )
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_docker_that_has_stopped_is_one_message_wherever_it_is_asked(tmp_path: Path) -> None:
    start.begin("containers-1")
    mine = paths.work() / "containers-1" / "mine.txt"
    mine.write_text("mine")
    Docker(default_runner()).stop()
    assert "✗ Docker: no Docker answers" in course("status")
    result = check.check("containers-1")
    assert result.state == "could not judge" and "Docker" in result.saw
    with pytest.raises(CourseError, match="no Docker answers"):
        start.goto("containers-1")
    shown = repr(notebook.setup("01-containers"))
    assert "✗ Docker: no Docker answers" in shown and "course up" in shown
    kept = [mine, *(paths.work() / ".saved").rglob("mine.txt")]
    assert [file.read_text() for file in kept if file.exists()] == ["mine"]
    assert "✓ orders answers" in course("up")
    assert all(part.ok for part in health.now())


def test_a_docker_that_restarts_during_a_check_is_blamed_and_not_the_learner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def restart() -> None:
        Docker(default_runner()).stop()
        up.up(tasks.Display())

    def meanwhile(lab: Lab) -> None:
        thread = threading.Thread(target=restart)
        thread.start()
        thread.join(300)
        raise Wrong("crashes", saw="the container ended", want="it runs", try_="docker logs")

    code: Any = type("", (), {"check": staticmethod(meanwhile)})
    monkeypatch.setattr(exercise, "find", lambda _: code)
    monkeypatch.setattr(progress, "state", lambda _: "started")
    monkeypatch.setattr(progress, "record", lambda *_, **__: None)
    result = check.check(EXERCISE.id)
    assert result.state == "could not judge", result
    assert "was started again" in result.saw and "Docker" in result.saw


def test_the_node_comes_back_with_docker_and_keeps_what_the_learner_made() -> None:
    kubectl = ["kubectl", "create", "configmap", "mine", "--from-literal=a=b"]
    default_runner().run(kubectl, timeout=30)
    try:
        Docker(default_runner()).stop()
        began = time.monotonic()
        up.up(tasks.Display())
        print(f"\nup again after {time.monotonic() - began:.0f} s")
        got = default_runner().run(
            ["kubectl", "get", "configmap", "mine", "-o", "json"], timeout=30
        )
        assert json.loads(got.stdout)["data"] == {"a": "b"}
    finally:
        default_runner().run(["kubectl", "delete", "configmap", "mine"], timeout=30, check=False)
    assert os.environ["KUBECONFIG"] == str(paths.kubeconfig())
