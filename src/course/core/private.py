"""Files and folders that nobody else on the machine reads: from their first byte, any umask."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from course.core import files
from course.core.errors import CourseError


def folder(path: Path) -> Path:
    """Make a folder that only its user enters, or close one that is there.

    Args:
        path: the folder; those above it are made as usual.

    Returns:
        `path`.

    Raises:
        CourseError: it is one for everybody, as /tmp is, or belongs to another user, who could
            put links there.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not hasattr(os, "geteuid"):
        return path
    # Root may work in a home folder; whose link it is says nothing of who may change the folder.
    facts, us = path.stat(), os.geteuid()
    others_write = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    shared = facts.st_mode & stat.S_ISVTX
    if shared or (facts.st_uid != us and (us != 0 or others_write)):
        raise CourseError(
            f"{path} is shared, or belongs to another user (id {facts.st_uid})",
            "a folder of your own",
            f"ls -ld {path}; then move it away, or set COURSE_STATE to a folder of yours",
        )
    if facts.st_uid == us and stat.S_IMODE(facts.st_mode) & 0o077:
        # A disk without modes (Windows' under WSL) refuses.
        with contextlib.suppress(PermissionError):
            path.chmod(0o700)
    return path


def write(file: Path, text: str) -> None:
    """Write a file that only its user reads, whole or not at all, in a private folder.

    Args:
        file: it is replaced, and so is a link in its place.
        text: its content.

    Raises:
        CourseError: its folder belongs to another user.
    """
    folder(file.parent)
    files.atomic_write(file, text, mode=0o600)
