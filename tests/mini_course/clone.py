"""The mini course in place of the course, for tests of what reads or writes one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import tests.mini_course.exercises  # noqa: F401 - registers them
from course.core import paths
from course.dev import build

MINI = Path(__file__).parent


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
