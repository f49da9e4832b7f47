"""A JupyterLab that seems to run, for tests of what is done with its token."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import paths
from course.engine import jupyterlab

TOKEN = "c4naryTokenOfTheLab0123456789"


@contextlib.contextmanager
def running_lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A JupyterLab that seems to run, and what browsers are called with."""
    clone = home / "clone"
    (clone / ".venv").mkdir(parents=True)
    monkeypatch.setattr(paths, "ROOT", clone)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DISPLAY", ":0")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    process = subprocess.Popen(["sleep", "60"])
    old = os.umask(0)
    try:
        jupyterlab._remember(8888, TOKEN, process.pid)
        yield opened
    finally:
        os.umask(old)
        process.kill()
        process.wait()
