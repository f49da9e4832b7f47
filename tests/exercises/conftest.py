"""Shared by the tests of the exercises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from course.exercises.kit import exercise, image, start_files
from course.exercises.kit.declared import Declared, Start
from course.exercises.kit.image import Contents, Size
from course.exercises.kit.lab import Lab
from course.measure import layers
from tests.exercises import borrowed_shop, local_builder
from tests.exercises.words import Words


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What images hold: no layer above the base, of this size and by these steps."""
    holds: dict[str, Any] = {"size": Size(8_660_000, 239_660_000), "steps": ("COPY ./dist ./dist",)}
    monkeypatch.setattr(image, "contents", lambda *_: Contents(()))
    monkeypatch.setattr(image, "size", lambda *_: holds["size"])
    monkeypatch.setattr(image, "steps", lambda *_: holds["steps"])
    monkeypatch.setattr(layers, "read", lambda *_, **__: [])
    monkeypatch.setattr(layers, "digests", lambda *_: frozenset())
    return holds


@pytest.fixture
def words(mini: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The exercise in place of mini-1, and its folder of start files."""
    monkeypatch.setattr(start_files, "FILES", mini / "files")
    files = mini / "files" / "mini-1"
    (files / "bin").mkdir(parents=True)
    (files / "words.txt").write_text("wrod\n")
    (files / "bin" / "run.sh").write_text("echo\n")
    (files / "bin" / "run.sh").chmod(0o755)
    monkeypatch.setitem(
        exercise._found, "mini-1", Declared("mini-1", Words(), Start(), "other-word")
    )
    return files


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, home: Path) -> Callable[..., Lab]:
    """Judge an exercise's observation of a shop that plays its part."""
    return partial(borrowed_shop.judged, monkeypatch)


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Judge an answer by what the steps of its Dockerfile do, without an engine."""
    return local_builder.judging(monkeypatch)
