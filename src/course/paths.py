"""Where the course keeps things. Each place can be moved by one environment variable."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The clone that the course runs from."""


def cache() -> Path:
    """What is slow to make and safe to delete: `$COURSE_CACHE`, else `~/.cache/course`."""
    return Path(os.environ.get("COURSE_CACHE") or Path.home() / ".cache" / "course")


def state() -> Path:
    """What the running course knows of itself: `$COURSE_STATE`, else `~/.local/state/course`."""
    return Path(os.environ.get("COURSE_STATE") or Path.home() / ".local" / "state" / "course")


def work() -> Path:
    """The learner's own folder: `$COURSE_WORK`, else `work/` in the clone."""
    return Path(os.environ.get("COURSE_WORK") or ROOT / "work")


def kubeconfig() -> Path:
    """The course's own kubeconfig; the learner's is never touched."""
    return state() / "kubeconfig"
