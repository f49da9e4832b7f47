"""Whether the clock is right, as far as that can be told without one fixed host."""

from __future__ import annotations

import email.utils
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

from course.artifacts import fetch
from course.core import paths
from course.engine.doctor.finding import DEADLINE, Finding, Machine

MOST = 120.0
"""Seconds of difference to a server that certificates and tokens bear."""
MOST_TO_DOCKER = 10.0
_DAY = 86400.0
_SET = "set the clock: sudo timedatectl set-ntp true"
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "NPM_CONFIG_REGISTRY", "GOPROXY")
_DEFAULT = "https://pypi.org/"


def clock(machine: Machine) -> list[Finding]:
    """This machine's clock, against the files of the course and against a server's."""
    newest = max(f.stat().st_mtime for f in (paths.ROOT / "pyproject.toml", paths.ROOT / "uv.lock"))
    ahead = newest - time.time()
    if ahead > _DAY:
        saw = f"it is {ahead / _DAY:.0f} days behind the date of the course's own files"
        return [Finding("clock", False, saw, _SET)]
    for url in sources(machine):
        difference = _difference(url)
        if difference is None:
            continue
        host = fetch.host(url)
        if abs(difference) > MOST:
            way = "ahead of" if difference > 0 else "behind"
            saw = f"{_clock(abs(difference))} {way} that of {host}"
            return [Finding("clock", False, saw, _SET)]
        return [Finding("clock", True, f"that of {host}, within {MOST:.0f} s")]
    return [Finding("clock", None, "untried: no server of this machine's sources answers")]


def sources(machine: Machine) -> Iterator[str]:
    """Addresses that this machine is set up to fetch packages from; PyPI if none is set.

    Without the user and password that they may hold: a date is told to everybody.
    """
    if machine.env.get("COURSE_OFFLINE") == "1":
        return
    named = [machine.env.get(name, "") for name in _INDEXES]
    for file in sorted(machine.file("/etc/apt/sources.list.d").glob("*")):
        named += re.findall(r"https?://\S+", file.read_text(errors="replace"))[:1]
    urls = [url.split(",")[0] for url in named if url.startswith(("http://", "https://"))]
    yield from dict.fromkeys([*map(_without_user, urls[:2]), _DEFAULT])


def _without_user(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _difference(url: str) -> float | None:
    """Seconds that our clock is ahead of a server's, or `None` if it tells none."""
    # Of an https address whose certificate is judged by a clock that is off there is no answer,
    # so plain http is asked as well: its date needs no trust to be a hint.
    plain = urllib.parse.urlsplit(url)._replace(scheme="http").geturl()
    for address in dict.fromkeys((url, plain)):
        request = urllib.request.Request(address, method="HEAD")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE / 2) as answer:  # noqa: S310
                date = answer.headers.get("Date")
        except urllib.error.HTTPError as error:
            date = error.headers.get("Date")
        except (OSError, ValueError, http.client.HTTPException):
            continue
        if date:
            return time.time() - email.utils.parsedate_to_datetime(date).timestamp()
    return None


def of_docker(machine: Machine) -> list[Finding]:
    """Docker's clock: that of a virtual machine may stand still while a laptop sleeps."""
    info = machine.docker_info
    if info is None or not info.get("SystemTime"):
        return []
    seen = datetime.fromisoformat(str(info["SystemTime"]))
    difference = abs((datetime.now(UTC) - seen).total_seconds())
    ok = difference <= MOST_TO_DOCKER
    saw = "that of this machine" if ok else f"{_clock(difference)} away from this machine's"
    return [Finding("Docker's clock", ok, saw, "restart Docker")]


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 7200 else f"{seconds / 3600:.0f} h"
