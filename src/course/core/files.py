"""Files and folders that are there whole or not at all, whenever the process is killed.

What is being made has a name of its own beside the target, and takes the target's name when it is
whole. Only the standard library: `unbundle` runs before there is an environment.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PART = ".part-"


def atomic_write(
    file: Path, content: str | bytes, *, mode: int | None = None, durable: bool = False
) -> Path:
    """Write a file; folders above it are made.

    Args:
        file: it is replaced, and so is a link in its place: what a link names is left alone.
        content: all of it; text becomes UTF-8.
        mode: the file's permissions from its first byte, whatever the umask; without it the umask
            decides.
        durable: on disk before this returns, so that a power cut does not lose it.

    Returns:
        `file`.

    Raises:
        OSError: it cannot be written; what was there stays as it was.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{_PART}{secrets.token_hex(6)}-{file.name}")
    # Nobody else can have made it: in a folder for everybody it could be a link, or be theirs.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        with open(os.open(part, flags, 0o666 if mode is None else mode), "wb") as sink:  # noqa: PTH123
            if mode is not None:
                # A disk without modes (Windows' under WSL) refuses.
                with contextlib.suppress(PermissionError):
                    os.fchmod(sink.fileno(), mode)
            sink.write(content.encode() if isinstance(content, str) else content)
            if durable:
                sink.flush()
                os.fsync(sink.fileno())
        return part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Make a folder; those above it are made.

    Args:
        folder: it is not there yet, or is empty.

    Yields:
        An empty folder to fill. The folder around it is on the same disk, is removed at the end
        and may hold what is needed on the way.

    Raises:
        OSError: the folder cannot be made, or another process made it meanwhile.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=_PART, dir=folder.parent, ignore_cleanup_errors=True
    ) as around:
        part = Path(around) / "whole"
        part.mkdir()
        part.chmod(0o755)
        yield part
        part.rename(folder)


def empty(folder: Path) -> None:
    """Make an empty folder in place of whatever is there; save that first.

    Args:
        folder: a link is removed, and what it names is left alone.
    """
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
