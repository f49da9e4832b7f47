"""What this machine saw first: checksums and digests that nobody publishes.

They outlive the cache, so that what is fetched again must be what was fetched before.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course.core import files, paths
from course.core.errors import CourseError

FORMAT = 1
_WAIT = 30.0


@dataclass(frozen=True)
class Sight:
    """What was seen at the first time.

    Args:
        value: a checksum or a digest.
        since: the day, e.g. `2026-11-26`.
    """

    value: str
    since: str


def file() -> Path:
    """Where it is kept."""
    return paths.state() / "first-seen.json"


def first(name: str) -> Sight | None:
    """What was seen first of a file or an image.

    Args:
        name: an URL, or an image's name.

    Raises:
        CourseError: the record is damaged, or of a newer version of the course.
    """
    entry = _read().get(name)
    return Sight(entry["value"], entry["since"]) if entry else None


def keep(name: str, value: str) -> Sight:
    """Keep what was seen, in place of what was kept before.

    Args:
        name: an URL, or an image's name.
        value: its checksum or digest.

    Raises:
        CourseError: the record is damaged, or of a newer version of the course.
    """
    from course.core import locks

    sight = Sight(value, time.strftime("%Y-%m-%d"))
    lock = file().with_suffix(".lock")
    what = f"another process writes {file()}"
    with locks.hold(lock, wait=_WAIT, what=what, try_="course up again"):
        entries = {**_read(), name: asdict(sight)}
        _write({"format": FORMAT, "seen": entries})
    return sight


def _read() -> dict[str, Any]:
    try:
        content = json.loads(file().read_text())
        form, entries = content["format"], dict(content["seen"])
        if form == FORMAT:
            texts = [entry[key] for entry in entries.values() for key in ("value", "since")]
            "".join(texts)  # a TypeError unless all are
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CourseError(
            f"{file()} is damaged: {error}",
            "the checksums and digests that this machine saw first",
            f"rm {file()}   then what is seen next is kept",
        ) from error
    if form != FORMAT:
        raise CourseError(
            f"{file()} is of format {form}", f"format {FORMAT}", "a clone of that newer version"
        )
    return entries


def _write(content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, sort_keys=True)
    files.atomic_write(file(), text, mode=0o600, durable=True)
