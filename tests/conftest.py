"""Shared by all tests: nothing of the learner's or of the running course is touched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import inherited

# Not a conftest: what runs on the engine has nothing to do with it.
pytest_plugins = ["tests.mini_course.clone"]

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
