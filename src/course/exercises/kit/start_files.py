"""The files that exercises come with, whatever a learner has made of them.

`files/<exercise-id>/` is what the learner begins with; `files/<exercise-id>.<what>/` is for its
start state or its check alone.
"""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parents[1] / "files"


def folder(id_: str) -> Path:
    """Return the folder of an exercise's files; one without any has none."""
    return FILES / id_


def path(id_: str, name: str) -> Path:
    """Return where a file is.

    Args:
        id_: the exercise, or with a dot what is for its check.
        name: its path in that folder.
    """
    return folder(id_) / name


def original(id_: str, name: str) -> str:
    """Return a file as it came; the arguments are those of `path`."""
    return path(id_, name).read_text(encoding="utf-8")
