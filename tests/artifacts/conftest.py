"""Shared by the tests of what is saved in a bundle and read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.artifacts import bundle, debian, unbundle
from course.core import paths
from tests.artifacts.bundles import Save, fill, lock, quiet


@pytest.fixture
def not_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbundle, "is_root", lambda: False)


@pytest.fixture
def saved(home: Path, not_root: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(debian, "is_root_on_debian", lambda: True)
    fill(paths.cache())
    lock(monkeypatch)
    file = bundle.save(home / "b.tar", quiet, runner=Save())
    monkeypatch.setenv("COURSE_CACHE", str(home / "empty"))
    return file
