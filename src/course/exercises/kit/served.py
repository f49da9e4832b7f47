"""A container that should answer HTTP, asked from this machine with a deadline on each answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from typing import Any

from course.core import waiting
from course.exercises.kit import run_errors
from course.exercises.kit.reply import Ended, Heard, Reply, Running, telling_line
from course.exercises.kit.verdict import Wrong
from course.measure.container import Container

_READ_TIMEOUT = 3.0
_REQUEST_TIMEOUT = 5.0
_MOST_ANSWER = 4_000_000
_MOST_PROCESSES = 24
_PROGRAMS_WAIT = 20.0


class Served(Container):
    """A container that should answer HTTP.

    Args:
        made: the SDK's container.
        port: where it listens inside.
        closed: the network without a way out that it runs in; empty for Docker's own.
    """

    def __init__(self, made: Any, port: int, closed: str = "") -> None:
        super().__init__(made)
        self._port, self._closed = port, closed

    def address(self) -> tuple[str, int] | None:
        """Where it is reached from this machine, or `None` while nothing is bound."""
        self._made.reload()
        if self._closed:
            # This machine is on each network of its own Docker.
            joined = self._made.attrs["NetworkSettings"]["Networks"][self._closed]
            return (joined["IPAddress"], self._port) if joined["IPAddress"] else None
        bound = self._made.ports.get(f"{self._port}/tcp")
        return ("127.0.0.1", int(bound[0]["HostPort"])) if bound else None

    def get_once(self) -> tuple[int, str]:
        """Status and body of one `GET /`, asked once; status 0 if nothing answers."""
        at = self.address()
        with contextlib.suppress(OSError, http.client.HTTPException, _Endless):
            return _ask(at, "GET", "/", None) if at else (0, "")
        return 0, ""

    def get(self, path: str, *, wait: float = 10.0) -> tuple[int, str]:
        """`ask` with GET."""
        return self.ask("GET", path, wait=wait)

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, wait: float = 10.0
    ) -> tuple[int, str]:
        """Status and body of a request, asked again until the service has started.

        Args:
            method: e.g. `PUT`.
            path: path and query, sent as they are.
            body: what to send.
            wait: deadline in seconds.

        Returns:
            Status 0 and the container's log if it ended or does not answer in time.

        Raises:
            Wrong: an answer begins and does not end (`answer-endless`).
        """

        def once() -> tuple[int, str] | None:
            self._made.reload()
            if self._made.status in ("exited", "dead"):
                return 0, self.log()
            at = self.address()
            # Where nothing answers, it has not started yet, or has ended.
            with contextlib.suppress(OSError, http.client.HTTPException):
                return _ask(at, method, path, body) if at else None
            return None

        try:
            return waiting.eventually(once, wait=wait, pause=0.1) or (0, self.log())
        except _Endless as answer:
            raise run_errors.endless(f"{method} {path}", path, str(answer)) from answer

    def why_no_answer(self, ref: str, want: str) -> Wrong:
        """Why it does not answer: it runs and does not listen, or it has ended.

        Args:
            ref: its image, as the learner names it.
            want: what should answer.
        """
        return run_errors.no_reply(self.condition(), ref, self._port, want)

    def hear(
        self, path: str, method: str = "GET", body: bytes | None = None, *, wait: float = 10.0
    ) -> Heard:
        """Ask until the service has started.

        Args:
            path: path and query, sent as they are.
            method: e.g. `PUT`.
            body: what to send.
            wait: deadline in seconds.

        Returns:
            The reply, or how the container is without one.

        Raises:
            Wrong: an answer begins and does not end (`answer-endless`).
        """
        status, said = self.ask(method, path, body, wait=wait)
        return Reply(status, said) if status else self.condition()

    def condition(self) -> Heard:
        """How the container is without a reply: it runs, or has ended."""
        code = self.exit_code()
        return Running() if code is None else Ended(code, self.log())

    def restart(self, ref: str) -> None:
        """End it at once and start it again, on the files that it left.

        Args:
            ref: its image, as the learner names it.

        Raises:
            Wrong: Docker cannot start it again (`cannot-start`).
        """
        import docker.errors

        self.stop(grace=0)
        try:
            self._made.start()
        except docker.errors.APIError as error:
            raise run_errors.cannot_start(ref, str(error.explanation or error)) from error

    def last_line(self) -> str:
        """The line of its log that says most of its end."""
        return telling_line(self.log())

    def run(self, *argv: str) -> str:
        """The output of a command in the running container."""
        return self.output(*argv).decode(errors="replace").strip()

    def put_beside(self, name: str, text: str) -> None:
        """Write a file where its first process works, so that its program finds it by that name.

        Args:
            name: a path below that folder.
            text: the file's text.
        """
        folder, _, base = name.rpartition("/")
        # Where a folder on the way was a link, the program did not see what Docker wrote there.
        if there := self._beside(folder):
            self.put(base, text.encode(), mode=0o644, folder=there)
        else:
            self.put(name, text.encode(), mode=0o644, folder=self.folder())

    def read_beside(self, name: str) -> str | None:
        """A file's text, by the name by which its first process would find it; `None` if none is.

        Args:
            name: see `put_beside`.
        """
        found = self.read(self._beside(name) or f"{self.folder()}/{name}")
        return None if found is None else found.decode(errors="replace")

    def _beside(self, name: str) -> str:
        """The real path of what its first process finds by a name; empty if that is unknown."""
        # A shell that has started the program may have left the image's folder before.
        path = json.dumps(f"/proc/1/cwd/{name}")
        found = self.run("node", "-p", f"require('fs').realpathSync({path})")
        return found if found.startswith("/") else ""

    def ask_programs(self, option: str) -> list[str]:
        """What each program that runs in it answers to an option, e.g. `--version`.

        They are started once more by the kernel's own link to their file: neither a name on PATH
        nor what a process calls itself can stand for another program.
        """
        left, said = len(self.processes()), list[str]()
        until = time.monotonic() + _PROGRAMS_WAIT
        for number in range(1, _MOST_PROCESSES):
            if not left or time.monotonic() > until:
                break
            answer = self.run(f"/proc/{number}/exe", option)
            # Docker's own words where there is no such process; or it says nothing at all.
            if answer and "exec failed" not in answer:
                left -= 1
                said.append(answer)
        return said


class _Endless(Exception):  # noqa: N818 - told as a wrong answer
    """An answer that has begun and does not end."""


def _ask(at: tuple[str, int], method: str, path: str, body: bytes | None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(*at, timeout=_READ_TIMEOUT)
    over = threading.Event()

    def end() -> None:
        over.set()
        with contextlib.suppress(OSError):
            # What waits for the next byte is woken by this, and not by a close.
            held.shutdown(socket.SHUT_RDWR)

    connection.connect()
    held = connection.sock
    # Each read has a deadline of its own; bytes that come one by one would keep it for ever.
    clock = threading.Timer(_REQUEST_TIMEOUT, end)
    clock.daemon = True
    clock.start()
    length = 0
    try:
        connection.request(method, path, body, headers={"Connection": "close"})
        answer = connection.getresponse()
        content = answer.read(_MOST_ANSWER + 1)
        length = len(content)
        if length > _MOST_ANSWER:
            raise _Endless(f"it is longer than {_MOST_ANSWER / 1e6:.0f} MB")
        if not over.is_set():
            return answer.status, content.decode(errors="replace")
    except (OSError, http.client.HTTPException):
        if not over.is_set():
            raise
    finally:
        clock.cancel()
        connection.close()
    raise _Endless(f"{length} bytes in {_REQUEST_TIMEOUT:.0f} s")
