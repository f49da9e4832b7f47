"""Where the course keeps things. Each place can be moved by one environment variable."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The clone that the course runs from."""


def named(folder: str) -> Path:
    """A folder as a variable names it; its `~` no shell has read, e.g. between quotes.

    Args:
        folder: its path.
    """
    return Path.home() / folder[2:] if folder == "~" or folder[:2] == "~/" else Path(folder)


def cache() -> Path:
    """What is slow to make and safe to delete: `$COURSE_CACHE`, else `~/.cache/course`."""
    return named(os.environ.get("COURSE_CACHE") or "~/.cache/course")


def state() -> Path:
    """What the running course knows of itself: `$COURSE_STATE`, else `~/.local/state/course`."""
    return named(os.environ.get("COURSE_STATE") or "~/.local/state/course")


def work() -> Path:
    """The learner's own folder: `$COURSE_WORK`, else `work/` in the clone."""
    return named(os.environ.get("COURSE_WORK") or str(ROOT / "work"))


def kubeconfig() -> Path:
    """The course's own kubeconfig; the learner's is never touched."""
    return state() / "kubeconfig"


_TAG = "CACHEDIR.TAG"
_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55\n# Made by `course up`\n"
_ENTRIES = {
    *("debian", "docker", "downloads", "empty", "go", "images", "npm", "packages", "python"),
    *("proofs.json", "proofs.lock", "pulled.json", "seen.json", "scratch", "tools", "uv", _TAG),
}


def own_cache() -> bool:
    """Whether all that is in the cache's folder may be removed: the course made it.

    A folder that is new, or holds nothing that is not the course's, becomes its own and is tagged.
    `COURSE_CACHE` may name one that holds a learner's other things.
    """
    tag = cache() / _TAG
    if tag.is_file() and tag.read_text(errors="replace") == _SIGNATURE:
        return True
    if cache().exists() and {entry.name for entry in cache().iterdir()} - _ENTRIES:
        return False
    cache().mkdir(parents=True, exist_ok=True)
    tag.write_text(_SIGNATURE)
    return True
