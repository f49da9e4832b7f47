"""Download files from the internet: resumed when interrupted, checked before they count."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from course import paths
from course.errors import CourseError

if TYPE_CHECKING:
    # Not at run time: a bundle is read where there is nothing but Python itself.
    from course.steps import Report

_CHUNK = 1 << 18


@cache
def reachable(host: str) -> bool:
    """Whether a host answers HTTPS within five seconds. Asked once per process.

    `COURSE_OFFLINE=1` answers no without asking.
    """
    if os.environ.get("COURSE_OFFLINE") == "1":
        return False
    try:
        urllib.request.urlopen(f"https://{host}/", timeout=5)
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True


def text(url: str) -> str:
    """A small text file, e.g. a published checksum.

    Raises:
        CourseError: it cannot be had.
    """
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
            return str(answer.read(1 << 20).decode())
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{url} does not answer ({error})", "a download", "course doctor"
        ) from None


def download(url: str, dest: Path, *, sha256: str = "", report: Report | None = None) -> Path:
    """Download one file, going on where an earlier try stopped.

    Args:
        url: where from.
        dest: where to; it exists only when it is whole and its checksum is right.
        sha256: what the publisher says; without it what was seen at the first download on
            this machine is kept and must stay the same.
        report: told how far it is.

    Returns:
        `dest`.

    Raises:
        CourseError: the server does not answer, or the checksum is another one.
    """
    part = dest.with_name(dest.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            resumed = answer.status == 206
            have = have if resumed else 0
            total = have + int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if resumed else "wb") as sink:
                while chunk := answer.read(_CHUNK):
                    sink.write(chunk)
                    have += len(chunk)
                    if report:
                        share = have / total if total else None
                        report(f"{dest.name}: {have / 1e6:.0f} of {total / 1e6:.0f} MB", share)
            if have < total:
                # urllib takes a connection that was cut off for the end of the file.
                raise ConnectionError("the connection was closed")
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: the part is whole already
            raise CourseError(f"{url}: HTTP {error.code}", "a download", "course doctor") from None
    except OSError as error:
        raise CourseError(
            f"{url}: the download broke off after {have / 1e6:.0f} MB ({error})",
            "a whole file",
            "the same command again; it goes on where it stopped",
        ) from None
    seen = digest(part)
    expected = sha256 or _locked(url, seen)
    if seen != expected:
        part.unlink()
        raise CourseError(
            f"{url} has sha256 {seen[:16]}…",
            f"sha256 {expected[:16]}…",
            "the same command again; if it stays so, the file was changed: report it",
        )
    part.replace(dest)
    return dest


def digest(path: Path) -> str:
    """The sha256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _locked(url: str, seen: str) -> str:
    """What this machine saw at its first download of an URL that no checksum is published for."""
    file = paths.cache() / "seen.json"
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    if url not in known:
        known[url] = seen
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(known, indent=1, sort_keys=True))
        part.replace(file)
    return known[url]


def host(url: str) -> str:
    """The host of an URL."""
    return urlsplit(url).hostname or ""
