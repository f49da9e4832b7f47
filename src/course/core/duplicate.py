"""Copy a folder so that `docker build` sends of the copy what it would send of the folder."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

from course.core.errors import CourseError
from course.core.text import cut, printable

MOST = 1_000_000_000
"""Bytes that are copied at most; a copy is made in the temporary folder, which may be memory."""
MOST_ENTRIES = 200_000
"""Files and folders that are copied at most: what goes on making them would never end."""
_CHUNK = 1 << 20
_TOLD = 120
_KNOWS_NO_HOLES = (errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP)
"""What a file system says that cannot tell where a file has holes."""


def duplicate(source: Path, target: Path, *, without: Collection[str] = ()) -> None:
    """Copy what is in a folder into an empty one.

    Links are copied as links and pipes as pipes. What Docker sends as an empty file becomes one: a
    socket, and a file that may not be read. A folder that may not be read stays so, and the build
    of the copy says what that of the folder says.

    Args:
        source: the folder.
        target: where its content goes.
        without: names of files and folders that are left out, wherever they are.

    Raises:
        CourseError: something cannot be copied, or it is more than `MOST` or `MOST_ENTRIES`.
    """
    left, entries_left = MOST, MOST_ENTRIES
    folders = [(source, target)]
    for here, there in folders:  # grows as folders are met; not recursive, for any depth
        try:
            entries = sorted(here.iterdir())
        except (PermissionError, FileNotFoundError, NotADirectoryError):
            continue  # it stays empty; or it was there a moment ago
        for entry in entries:
            if entry.name in without:
                continue
            to = there / entry.name
            try:
                if entry.is_symlink():
                    to.symlink_to(entry.readlink())
                elif entry.is_dir():
                    to.mkdir(0o700)
                    folders.append((entry, to))
                else:
                    left -= _file(entry, to)
            except FileNotFoundError:
                continue  # an editor's own, gone again
            except OSError as error:
                name = printable(str(entry.relative_to(source.parent)))
                raise CourseError(
                    f"{cut(name, _TOLD)} cannot be copied: {error.strerror}",
                    "a folder that can be copied, to build from",
                    "move it out of the exercise's folder",
                ) from error
            entries_left -= 1
            if left < 0 or entries_left < 0:
                much = f"{MOST / 1e9:g} GB" if left < 0 else f"{MOST_ENTRIES} files and folders"
                raise CourseError(
                    f"{source.name}/ holds more than {much}, which a check does not copy"
                    + (f" ({', '.join(without)} left out)" if without else ""),
                    f"a folder of at most {much}",
                    f"du -ah {source.name} | sort -h | tail   "
                    "then move what no image needs out of the folder",
                )
    for here, there in reversed(folders[1:]):  # last, since a mode may forbid to write
        with contextlib.suppress(FileNotFoundError):
            shutil.copystat(here, there)


def _file(entry: Path, to: Path) -> int:
    """Copy one that is no folder; its bytes on disk."""
    about = entry.lstat()
    if stat.S_ISFIFO(about.st_mode):
        os.mkfifo(to)
    elif stat.S_ISCHR(about.st_mode) or stat.S_ISBLK(about.st_mode):
        os.mknod(to, about.st_mode, about.st_rdev)
    else:
        target = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if stat.S_ISREG(about.st_mode):
                with contextlib.suppress(PermissionError):
                    _fill(entry, target, about.st_size)
        finally:
            os.close(target)
    shutil.copystat(entry, to, follow_symlinks=False)
    return about.st_blocks * 512 if stat.S_ISREG(about.st_mode) else 0


def _fill(path: Path, target: int, size: int) -> None:
    """Write a file's content, its holes as holes."""
    source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    at = 0
    try:
        os.ftruncate(target, size)
        while at < size:
            at = os.lseek(source, at, os.SEEK_DATA)
            end = os.lseek(source, at, os.SEEK_HOLE)
            while at < end and (piece := os.pread(source, min(_CHUNK, end - at), at)):
                at += os.pwrite(target, piece, at)
    except OSError as error:
        if error.errno in _KNOWS_NO_HOLES:
            while piece := os.pread(source, _CHUNK, at):
                at += os.pwrite(target, piece, at)
        elif error.errno != errno.ENXIO:  # there is nothing but a hole up to its end
            raise
    finally:
        os.close(source)


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, whatever their modes and depth, as far as it goes."""
    folders = [folder]
    for here in folders:
        with contextlib.suppress(OSError):
            here.chmod(0o700)
            for entry in list(here.iterdir()):
                if entry.is_dir() and not entry.is_symlink():
                    folders.append(entry)
                else:
                    entry.unlink()
    for here in reversed(folders):
        with contextlib.suppress(OSError):
            here.rmdir()
