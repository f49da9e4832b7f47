"""Shared by all tests: nothing of the learner's or of the running course is touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.mini_course.exercises  # noqa: F401 - registers them
from course.core import inherited, paths
from course.dev import build

MINI = Path(__file__).parent / "mini_course"

ENGINE = ("cluster", "bank", "browser", "faults", "road")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A plain `pytest tests` runs what needs no engine; the rest is asked for by its folder."""
    asked = [str(argument) for argument in config.args]
    for item in items:
        folder = next((f for f in ENGINE if f"tests/{f}/" in item.path.as_posix()), None)
        if folder and not any(f"tests/{folder}" in argument for argument in asked):
            item.add_marker(pytest.mark.skip(reason=f"needs the engine: pytest tests/{folder}"))


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command settles in its process is no other test's."""
    monkeypatch.setattr(inherited, "_before", None)
    before, mask = dict(os.environ), os.umask(0)
    os.umask(mask)
    yield
    os.environ.clear()
    os.environ.update(before)
    os.umask(mask)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """State, cache and work in a folder of the test's own, unless it is there for the engine."""
    if request.path.parent.name in ENGINE:
        return tmp_path
    for name in ("COURSE_STATE", "COURSE_CACHE", "COURSE_WORK"):
        monkeypatch.setenv(name, str(tmp_path / name.removeprefix("COURSE_").lower()))
    # Nor the run folder of a Docker that the course started: its socket is there.
    monkeypatch.setattr("course.engine.docker._RUN", tmp_path / "run")
    return tmp_path


@pytest.fixture
def mini(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mini course, built, in a folder of the test's own, in place of the course."""
    root = home / "mini"
    shutil.copytree(MINI, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (root / "apps" / "orders").mkdir(parents=True)
    (root / "apps" / "orders" / "package.json").write_text("{}")
    monkeypatch.setattr(paths, "ROOT", root)
    build.write(root)
    return root
