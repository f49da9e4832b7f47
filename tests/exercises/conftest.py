"""Shared by the tests of the exercises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from course.exercises.kit import exercise, start_files
from course.exercises.kit.declared import Declared, Start
from course.exercises.kit.lab import Lab
from tests.exercises import local_builder
from tests.exercises.words import Words


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
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Judge an answer by what the steps of its Dockerfile do, without an engine."""
    return local_builder.judging(monkeypatch)
