"""What a container shows from outside: its processes, its files, its health, its end."""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, cast

HEALTH_LOG = 5
"""So many probes Docker keeps of a container."""
_MOST = 4_000_000
"""Bytes of a file or an output that are read."""
_MOST_LOG = 64_000
"""Bytes of a log that are read."""
_COMMAND_WAIT = 20.0
_PS = "pid,ppid,uid,gid,ruid,suid,rgid,sgid,supgid:200,args"
_RETRIES, _TIMEOUT = 3, 30.0
"""Docker's own, where an image says nothing."""


@dataclass(frozen=True)
class Process:
    """One process of a container, as the machine that runs it lists it.

    Args:
        pid: its number on that machine.
        parent: the number of the process that started it.
        uid: the user that it runs as.
        gid: its group.
        command: its command line.
        first: whether it is number 1 in the container.
        more_uids: its real and its saved user, where they are others: it may return to them.
        more_gids: its other groups: real, saved and supplementary.
    """

    pid: int
    parent: int
    uid: int
    gid: int
    command: str
    first: bool
    more_uids: frozenset[int] = frozenset()
    more_gids: frozenset[int] = frozenset()

    @property
    def uids(self) -> frozenset[int]:
        """All users that it is or may return to."""
        return self.more_uids | {self.uid}

    @property
    def gids(self) -> frozenset[int]:
        """All groups whose rights it has."""
        return self.more_gids | {self.gid}


@dataclass(frozen=True)
class Probe:
    """One run of a health check.

    Args:
        start: when it began, in seconds since 1970 by Docker's clock.
        end: when it ended, in the same way.
        code: its exit code; -1 if it did not end in time.
        output: what it printed.
    """

    start: float
    end: float
    code: int
    output: str


@dataclass(frozen=True)
class Health:
    """What Docker says of a container's health.

    Args:
        status: `starting`, `healthy`, `unhealthy`, or `none` without a health check.
        streak: failed probes in a row, up to now.
        probes: the last ones, oldest first.
    """

    status: str
    streak: int
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Stopped:
    """How a container ended after it was asked to.

    Args:
        seconds: from the request to its end.
        code: its exit code; 137 if it was killed.
    """

    seconds: float
    code: int


class _Chunks:
    """A stream of bytes out of pieces."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


class Container:
    """A container that is looked at.

    Args:
        made: the SDK's container.
    """

    def __init__(self, made: Any) -> None:
        self._made = made

    def log(self) -> str:
        """Its last lines, and of very long ones their end."""
        return str(self._made.logs(tail=30)[-_MOST_LOG:].decode(errors="replace")).strip()

    def exit_code(self) -> int | None:
        """Its exit code, or `None` while it runs."""
        self._made.reload()
        state = self._made.attrs["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def processes(self) -> list[Process]:
        """Its processes, the first one first; none if it has ended."""
        import docker.errors

        self._made.reload()
        first = int(self._made.attrs["State"]["Pid"])
        try:
            rows = self._made.top(ps_args=f"-eo {_PS}")["Processes"]
        except docker.errors.APIError:
            return []
        found = [_process(row, first) for row in rows]
        return sorted(found, key=lambda process: not process.first)

    def folder(self) -> str:
        """The folder in which its command runs."""
        return str(self._made.attrs["Config"].get("WorkingDir") or "/")

    def stat(self, path: str) -> tarfile.TarInfo | None:
        """Owner, group and mode of a file or folder in it, or `None` if there is none."""
        found = self._archive(path)
        return found[0] if found else None

    def read(self, path: str) -> bytes | None:
        """A file in it, or `None` if there is none."""
        found = self._archive(path)
        return found[1] if found else None

    def _archive(self, path: str) -> tuple[tarfile.TarInfo, bytes] | None:
        import docker.errors

        try:
            chunks, _ = self._made.get_archive(path)
        except docker.errors.NotFound:
            return None
        # As a stream: of a folder only its own entry is read, and of a file no more than a check
        # can want.
        with tarfile.open(fileobj=cast("IO[bytes]", _Chunks(chunks)), mode="r|") as archive:
            entry = archive.next()
            if entry is None:
                return None
            content = archive.extractfile(entry) if entry.isfile() else None
            return entry, content.read(_MOST) if content else b""

    def put(
        self, path: str, content: bytes, *, uid: int = 0, mode: int = 0o600, folder: str = ""
    ) -> None:
        """Write a file into it, whatever its own user may do.

        Args:
            path: an absolute path in an existing folder; or below `folder`.
            content: the file's bytes.
            uid: its owner and group.
            mode: its permissions.
            folder: an existing folder; those below it are made.
        """
        name = path
        if not folder:
            folder, name = path.rsplit("/", 1)
        entry = tarfile.TarInfo(name)
        entry.size, entry.uid, entry.gid, entry.mode = len(content), uid, uid, mode
        entry.mtime = int(time.time())
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as archive:
            archive.addfile(entry, io.BytesIO(content))
        self._made.put_archive(folder or "/", sink.getvalue())

    def health(self) -> Health:
        """What Docker says of its health now."""
        self._made.reload()
        found = self._made.attrs["State"].get("Health")
        if not found:
            return Health("none", 0, ())
        probes = tuple(
            Probe(
                _moment(entry["Start"]),
                _moment(entry["End"]),
                int(entry["ExitCode"]),
                str(entry["Output"]).strip(),
            )
            for entry in found.get("Log") or []
        )
        return Health(found["Status"], int(found["FailingStreak"]), probes)

    def started(self) -> float:
        """When it started, in seconds since 1970 by Docker's clock, as it was looked at last."""
        return _moment(self._made.attrs["State"]["StartedAt"])

    def retries(self) -> int:
        """So many failed probes in a row make it unhealthy."""
        return int(self._asked("Retries") or _RETRIES)

    def probe_timeout(self) -> float:
        """After so many seconds Docker ends a probe."""
        return self._asked("Timeout") / 10**9 or _TIMEOUT

    def start_period(self) -> float:
        """For so many seconds after its start failures do not count."""
        return self._asked("StartPeriod") / 10**9

    def _asked(self, number: str) -> int:
        return int((self._made.attrs["Config"].get("Healthcheck") or {}).get(number) or 0)

    def stop(self, *, grace: int) -> Stopped:
        """`docker stop`.

        Args:
            grace: seconds after which it is killed.
        """
        began = time.monotonic()
        self._made.stop(timeout=grace)
        seconds = time.monotonic() - began
        self._made.reload()
        return Stopped(seconds, int(self._made.attrs["State"]["ExitCode"]))

    def seconds_of(self, *argv: str) -> float:
        """Seconds that a command takes in it now."""
        began = time.monotonic()
        self.output(*argv)
        return time.monotonic() - began

    def output(self, *argv: str) -> bytes:
        """What a command in it prints, as far as a check can want it, within seconds.

        Nothing, where the container has ended or has no such command.
        """
        import docker.errors
        from docker.utils.socket import frames_iter

        api = self._made.client.api
        try:
            held = api.exec_start(api.exec_create(self._made.id, list(argv))["Id"], socket=True)
        except docker.errors.APIError:
            return b""
        said = bytearray()

        def read() -> None:
            with contextlib.suppress(OSError, ValueError):  # closed, since it had no more time
                for _, chunk in frames_iter(held, tty=False):  # type: ignore[no-untyped-call]
                    said.extend(chunk)
                    if len(said) > _MOST:
                        break

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(_COMMAND_WAIT)
        # Else Docker would hold what it still has to say, and could not remove the container.
        with contextlib.suppress(OSError):
            held._sock.shutdown(socket.SHUT_RDWR)
        held.close()
        return bytes(said[:_MOST])

    def kill(self) -> None:
        """End it at once; an ended one stays as it is."""
        import docker.errors

        with contextlib.suppress(docker.errors.APIError):
            self._made.kill()


def _process(row: list[str], first: int) -> Process:
    """Read one line of `docker top`, with the columns of `_PS`.

    Args:
        row: its words.
        first: the number of the container's first process.
    """
    pid, parent, uid, gid, ruid, suid, rgid, sgid = (int(word) for word in row[:8])
    more = {int(word) for word in row[8].split(",") if word.isdecimal()}
    return Process(
        *(pid, parent, uid, gid, row[9]),
        first=pid == first,
        more_uids=frozenset({ruid, suid} - {uid}),
        more_gids=frozenset({rgid, sgid, *more} - {gid}),
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
