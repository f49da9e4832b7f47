"""Unpack an archive that somebody else made: nothing of it leaves its folder.

By hand, with Python's own library alone: Debian 12's Python 3.11.2 has no extraction filters, and
those of later versions were got round by long paths and by links that changed in between.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import tarfile
import unicodedata
import zlib
from pathlib import Path
from typing import IO, cast

from course.core.errors import CourseError

_CHUNK = 1 << 18
_HEADER = 1 << 20
"""Bytes that a single header may have; tarfile reads one whole."""
_MOST = 8 << 30
_RATIO = 100
"""Times that what is unpacked may be larger than its archive."""
_ENTRIES = 200_000
_HOPS = 40
"""Links that a path may pass, as in the kernel."""
_AGAIN = "get it anew from where it came from; do not use this one"

_PATH = 4096
"""Bytes of a path, as in the kernel."""
_DEPTH = 100
"""Folders in each other; Python 3.11 removes no more than some hundreds."""
_DIGITS = 100
"""Of a number in an extended header: Python before 3.11.10 reads a long one over and over."""

_Parts = tuple[str, ...]


def extract(archive: Path, dest: Path, *, only: str = "") -> None:
    """Unpack a tar whose checksum has been verified.

    Files get our user as owner and no set-id bits. Links are made after everything else, so that
    nothing is ever written through one.

    Args:
        archive: the tar, compressed by gzip or not.
        dest: a folder that is new or empty.
        only: the one entry that it may hold at its top; its links stay inside that.

    Raises:
        CourseError: an entry or a link leaves the folder, or is of a kind that no package has; or
            the archive is damaged, or holds far more than its size tells.
    """
    dest.mkdir(parents=True, exist_ok=True)
    if any(dest.iterdir()):
        raise CourseError(f"{dest} is not empty", "an empty folder to unpack into", "")
    limit = min(_MOST, archive.stat().st_size * _RATIO + (16 << 20))
    tree = _Tree(archive.name, dest, only)
    try:
        with archive.open("rb") as file, contextlib.ExitStack() as stack:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            plain = stack.enter_context(gzip.GzipFile(fileobj=file)) if packed else file
            source = cast("IO[bytes]", Bounded(cast("IO[bytes]", plain), limit, archive.name))
            with tarfile.open(fileobj=source, mode="r:", tarinfo=_Member) as tar:
                for member in tar:
                    tree.add(tar, member)
            while source.read(_CHUNK):
                pass  # to the end, where gzip's own checksum is
        tree.link()
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise CourseError(
            f"{archive.name} is damaged: {error}", "a whole archive", _AGAIN
        ) from error


class Bounded:
    """A stream that tarfile reads: no header is larger than one may be, nor what comes in all.

    Args:
        source: what is read.
        limit: bytes in all.
        name: of the archive, for messages.
    """

    def __init__(self, source: IO[bytes], limit: int, name: str) -> None:
        self._source, self._limit, self._name = source, limit, name
        self.tell = source.tell

    def read(self, size: int = -1) -> bytes:
        """See `io.RawIOBase.read`; all at once is refused."""
        if not 0 <= size <= _HEADER:
            raise CourseError(f"{self._name} has a header of {size} bytes", "a small one", _AGAIN)
        self._check(self.tell() + size)
        return self._source.read(size)

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """See `io.RawIOBase.seek`."""
        self._check(place)
        return self._source.seek(place, whence)

    def _check(self, place: int) -> None:
        # A header's block beyond: the reads are of whole blocks.
        if place > self._limit + _HEADER:
            raise CourseError(
                f"{self._name} unpacks to more than {self._limit / 1e6:.0f} MB",
                "what its size lets expect",
                _AGAIN,
            )


class _Member(tarfile.TarInfo):
    """An entry whose extended header takes no long time to be read (CVE-2024-6232)."""

    def _proc_pax(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        source = cast("IO[bytes]", tar.fileobj)
        place = source.tell()
        header = source.read(self.size)
        source.seek(place)
        if re.search(rb"\d{%d}" % _DIGITS, header):
            raise tarfile.ReadError(f"a header has a number of more than {_DIGITS} digits")
        member: tarfile.TarInfo = super()._proc_pax(tar)  # type: ignore[misc]
        return member


class _Tree:
    """What was unpacked so far, by name; the disk is never asked what a name means."""

    def __init__(self, archive: str, dest: Path, only: str) -> None:
        self._archive, self._dest, self._only = archive, dest, only
        self._folders: set[_Parts] = {()}
        self._files: set[_Parts] = set()
        self._links: dict[_Parts, str] = {}
        self._folded: dict[_Parts, bool] = {}  # → whether it is a link

    def add(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Unpack one entry; a link is only noted."""
        parts = self._parts(member.name, member.name)
        if not parts:
            if not member.isdir():
                raise self._refused(member.name, "names no file")
            return
        if self._only and parts[0] != self._only:
            raise self._refused(member.name, f"is outside {self._only}, its folder")
        for length in range(1, len(parts)):
            self._folder(parts[:length], member.name)
        if member.isdir():
            self._folder(parts, member.name)
            return
        self._new(parts, member.name, link=member.issym())
        if member.issym():
            if self._only and len(parts) == 1:
                raise self._refused(member.name, "is a link where its folder should be")
            self._links[parts] = member.linkname
        elif member.islnk():
            self._hard_link(parts, member)
        elif member.isreg() and not member.issparse() and member.size >= 0:
            self._file(parts, tar, member)
        else:
            raise self._refused(member.name, "is neither a file, a folder nor a link")

    def link(self) -> None:
        """Make the links, if all of them stay in the folder."""
        folded = {_fold(parts): target for parts, target in self._links.items()}
        for parts, target in self._links.items():
            self._resolve(parts, target, folded)
        for parts, target in self._links.items():
            self._path(parts).symlink_to(target)

    def _parts(self, name: str, member: str) -> _Parts:
        """A name's parts.

        Raises:
            CourseError: it is absolute, goes up, or means another thing elsewhere.
        """
        words = re.split(r"[/\\]", name)
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in words:
            raise self._refused(member, "leaves, is outside its folder")
        if "\0" in name or not name:
            raise self._refused(member, "is no name of a file")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if len(parts) > _DEPTH:
            raise self._refused(member, f"is below more than {_DEPTH} folders")
        return parts

    def _folder(self, parts: _Parts, member: str) -> None:
        if parts in self._folders:
            return
        self._new(parts, member, link=False)
        self._path(parts).mkdir()
        self._path(parts).chmod(0o755)
        self._folders.add(parts)

    def _new(self, parts: _Parts, member: str, *, link: bool) -> None:
        """Note an entry that was not there.

        Raises:
            CourseError: it was; or a link would be taken for it, or it for a link, on a disk
                that does not tell capitals from small letters.
        """
        folded = _fold(parts)
        there = self._folded.get(folded)
        if parts in self._files or parts in self._folders or parts in self._links:
            raise self._refused(member, "is in it twice, or below what is no folder")
        if there or (link and there is not None):
            raise self._refused(member, "has a link's name, or passes through a link")
        self._folded[folded] = link
        if len(self._folded) > _ENTRIES:
            raise self._refused(member, f"is one of more than {_ENTRIES} entries")

    def _file(self, parts: _Parts, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = self._path(parts)
        content = cast("IO[bytes]", tar.extractfile(member))
        with path.open("xb") as sink:
            while chunk := content.read(_CHUNK):
                sink.write(chunk)
        # Neither set-id bits nor what lets others write; whatever the umask.
        path.chmod(member.mode & 0o755 | 0o600)
        if 0 <= member.mtime < 1 << 33:
            os.utime(path, (member.mtime, member.mtime))
        self._files.add(parts)

    def _hard_link(self, parts: _Parts, member: tarfile.TarInfo) -> None:
        target = self._parts(member.linkname, member.name)
        if target not in self._files:
            raise self._refused(member.name, "is a hard link to what is no file of the archive")
        try:
            os.link(self._path(target), self._path(parts), follow_symlinks=False)
        except OSError:
            shutil.copy2(self._path(target), self._path(parts), follow_symlinks=False)
        self._files.add(parts)

    def _resolve(self, parts: _Parts, target: str, links: dict[_Parts, str]) -> None:
        """Follow a link by the names in the archive.

        Raises:
            CourseError: it leaves the folder, or never ends.
        """
        name = "/".join(parts)
        top = 1 if self._only else 0
        here, todo, hops = list(parts[:-1]), self._steps(target, name), 0
        while todo:
            step = todo.pop(0)
            if step == "..":
                if len(here) <= top:
                    raise self._refused(name, f"is a link to {target[:200]!r}, outside its folder")
                here.pop()
                continue
            here.append(step)
            if len(here) > _DEPTH:
                raise self._refused(name, f"is a link below more than {_DEPTH} folders")
            further = links.get(_fold(tuple(here)))
            if further is not None:
                hops += 1
                if hops > _HOPS:
                    raise self._refused(name, "is a link that never ends")
                here.pop()
                todo = self._steps(further, name) + todo

    def _steps(self, target: str, name: str) -> list[str]:
        strange = "\0" in target or len(target) > _PATH or not target
        if strange or target.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", target):
            raise self._refused(name, f"is a link to {target[:200]!r}, outside its folder")
        return [step for step in target.split("/") if step not in ("", ".")]

    def _path(self, parts: _Parts) -> Path:
        return self._dest.joinpath(*parts)

    def _refused(self, member: str, why: str) -> CourseError:
        return CourseError(
            f"{self._archive} holds {member[:200]!r}, which {why}", "a clean archive", _AGAIN
        )


def _fold(parts: _Parts) -> _Parts:
    """A name as a disk sees it that does not tell capitals from small letters."""
    return tuple(unicodedata.normalize("NFD", part.casefold()) for part in parts)
