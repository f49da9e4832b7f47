"""One request and its answer over asyncio, with as little between send and clock as possible.

The machinery was chosen by measurement: docs/adr/0005-http-of-the-load-generator.md.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import httptools

from course.traffic.target import Target

_LINGER = 1.0
"""Seconds that an answered connection is left to the server to close. Who closes first keeps the
port for a minute, and at 500 requests/s a client would soon have none left."""

Clock = Callable[[], float]


class Request:
    """One planned request on its way.

    Args:
        index: its place in the schedule.
    """

    __slots__ = ("connection", "done", "index", "sent", "task")

    def __init__(self, index: int) -> None:
        self.index = index
        self.sent = 0.0
        self.done = False
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None


OnAnswer = Callable[[Request, float, str, str], None]
"""Called with the request, the time of its answer, the version, and the error or nothing."""
OnUnsent = Callable[[Request], None]


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time.

    Args:
        client: who opened it.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._parser: Any = None
        self._version = ""
        self._framed = False
        self._headers_done = False
        self.request: Request | None = None
        self.transport: asyncio.Transport | None = None

    def send(self, request: Request) -> None:
        """Write a request; the connection must be free."""
        assert self.transport is not None  # noqa: S101 - set before anything can be sent
        self.request = request
        request.connection = self
        self._version, self._framed, self._headers_done = "", False, False
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(self._client.wire)

    # -- asyncio's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP or TLS
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self.request is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end("not-http")
            self.abort()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        # A body without a length ends with the connection.
        if self.request and self._headers_done and not self._framed:
            self.on_message_complete()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._end(kind(exc) if exc else "closed")
        self._client.gone(self)

    # -- httptools' calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools`."""
        name = name.lower()
        if name == self._client.version_header:
            self._version = value.decode("latin-1")
        elif name in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        self._headers_done = self._parser.get_status_code() >= 200
        if self._headers_done and self._client.bodyless:
            self.on_message_complete()

    def on_message_complete(self) -> None:
        """See `httptools`."""
        status = self._parser.get_status_code()
        if status < 200 or self.request is None:
            return
        again = self._client.keep_alive and self._parser.should_keep_alive()
        self._end("" if status < 400 else str(status))
        self._client.answered(self, again)

    def _end(self, error: str) -> None:
        request, self.request = self.request, None
        if request is not None:
            self._client.finish(request, self._version, error)

    def abort(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()


class Client:
    """Sends requests of one kind to one target.

    Args:
        target: where to.
        method: the HTTP method.
        headers: headers beside Host and Connection.
        body: sent with each request; may be empty.
        keep_alive: use a connection again instead of opening one for each request.
        version_header: the header that tells who answered.
        timeout: seconds from the send to the end of the answer.
        clock: seconds; the same that the schedule uses.
        on_answer: told of each end.
        on_unsent: told of each request that could not be sent by a fault of this machine's.
    """

    def __init__(
        self,
        target: Target,
        *,
        method: str,
        headers: Mapping[str, str],
        body: bytes,
        keep_alive: bool,
        version_header: str,
        timeout: float,
        clock: Clock,
        on_answer: OnAnswer,
        on_unsent: OnUnsent,
    ) -> None:
        self._target = target
        self._tls = target.tls()
        self.keep_alive = keep_alive
        self.bodyless = method == "HEAD"
        self.version_header = version_header.lower().encode("latin-1")
        self.wire = wire(target, method, headers, body, keep_alive)
        self._timeout = timeout
        self._clock = clock
        self._on_answer = on_answer
        self._on_unsent = on_unsent
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        # Both in order of time, so that the old ones stand in front.
        self._flying: deque[Request] = deque()
        self._closing: deque[tuple[float, Connection]] = deque()
        self.in_flight = 0

    def send(self, index: int) -> None:
        """Send one request now."""
        request = Request(index)
        self.in_flight += 1
        self._flying.append(request)
        request.sent = self._clock()
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                connection.send(request)
                return
        request.task = self._loop.create_task(self._open(request))

    async def _open(self, request: Request) -> None:
        # The time counts from here: a task may have waited for its turn.
        request.sent = self._clock()
        try:
            _, connection = await self._loop.create_connection(
                lambda: Connection(self),
                self._target.dial,
                self._target.port,
                ssl=self._tls,
                server_hostname=self._target.host if self._tls else None,
            )
        except OSError as error:
            request.task = None
            if error.errno in (errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS):
                self._drop(request)
            else:
                self.finish(request, "", kind(error))
            return
        request.task = None
        if request.done:
            connection.abort()
        else:
            connection.send(request)

    def _drop(self, request: Request) -> None:
        if not request.done:
            request.done = True
            self.in_flight -= 1
            self._on_unsent(request)

    def finish(self, request: Request, version: str, error: str) -> None:
        """A request has ended, once."""
        if not request.done:
            request.done = True
            request.connection = None
            self.in_flight -= 1
            self._on_answer(request, self._clock(), version, error)

    def answered(self, connection: Connection, again: bool) -> None:
        """A connection has done its work."""
        if again:
            self._idle.append(connection)
        else:
            self._closing.append((self._clock() + _LINGER, connection))

    def gone(self, connection: Connection) -> None:
        """A connection is closed."""
        if self.keep_alive and connection in self._idle:
            self._idle.remove(connection)

    def sweep(self) -> None:
        """End what has waited too long. To be called every few milliseconds."""
        now = self._clock()
        while self._flying and (self._flying[0].done or now - self._flying[0].sent > self._timeout):
            request = self._flying.popleft()
            if request.done:
                continue
            task, connection = request.task, request.connection
            self.finish(request, "", "timeout")
            if task is not None:
                task.cancel()
            if connection is not None:
                connection.request = None
                connection.abort()
        while self._closing and self._closing[0][0] < now:
            self._closing.popleft()[1].abort()

    def close(self) -> None:
        """Close what is open. Nothing may be in flight."""
        for connection in [*self._idle, *(c for _, c in self._closing)]:
            connection.abort()


def wire(
    target: Target, method: str, headers: Mapping[str, str], body: bytes, keep_alive: bool
) -> bytes:
    """A request as it goes over the wire."""
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.authority}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {len(body)}")
    lines.append(f"Connection: {'keep-alive' if keep_alive else 'close'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def kind(error: BaseException) -> str:
    """The name of a failure."""
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "unreachable"
