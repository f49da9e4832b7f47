"""Requests and their answers, with as little as possible between the clock and the wire.

Sockets of our own on asyncio's loop, and httptools (llhttp) for the answers: a transport, a
protocol and a task for each connection cost half as much again. docs/adr/0005 has the figures.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import httptools

from course.traffic.target import Target

_LINGER = 1.0
"""Seconds that an answered connection is left to the server to close. Who closes first keeps the
port for a minute, and at 500 requests/s a client would soon have none left."""
SWEEP = 0.050
"""Seconds between two looks for what has waited too long."""
_CHUNK = 65536
_LONGEST = 80
"""Bytes of a version that are kept."""
_OURS = {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""Errors that are this machine's and not the server's: no port, no file, no memory left."""

Clock = Callable[[], float]


class Request:
    """One planned request on its way.

    Args:
        index: its place in the schedule.
        sent: when it was sent, by the client's clock.
        expires: when it has waited too long, in time that this process ran.
    """

    __slots__ = ("connection", "done", "expires", "index", "sent")

    def __init__(self, index: int, sent: float, expires: float) -> None:
        self.index = index
        self.sent = sent
        self.expires = expires
        self.done = False
        self.connection: Connection | None = None


OnAnswer = Callable[[Request, float, str, str], None]
"""Called with the request, the time of its answer, the version, and the error or nothing."""
OnUnsent = Callable[[Request], None]


class Connection:
    """A connection that carries one request at a time.

    Args:
        client: who opens it.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._request: Request | None = None
        self._parser: Any = None
        self._version = ""
        self._framed = self._headers_done = self._writing = False
        self._out = b""
        self._socket = socket.socket(client.family, socket.SOCK_STREAM)
        self.closed = False
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex(client.address)
        if code not in (0, errno.EINPROGRESS):
            self._socket.close()
            raise OSError(code, os.strerror(code))
        self._tls = _Tls(client.tls, client.name) if client.tls else None
        client.loop.add_reader(self._socket, self._readable)

    def send(self, request: Request) -> None:
        """Write a request; the connection must be free."""
        self._request = request
        request.connection = self
        self._version = ""
        self._framed = self._headers_done = False
        self._parser = httptools.HttpResponseParser(self)
        try:
            self._write(self._tls.write(self._client.wire) if self._tls else self._client.wire)
        except OSError as error:
            self._fail(kind(error))

    def close(self) -> None:
        """Close at once; a request that waits here is forgotten."""
        if not self.closed:
            self.closed = True
            self._request = None
            loop = self._client.loop
            loop.remove_reader(self._socket)
            if self._writing:
                loop.remove_writer(self._socket)
            self._socket.close()
            self._client.gone(self)

    def stale(self) -> bool:
        """Whether the server has something to say on it, as a rule that it is closed."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    # -- the socket

    def _write(self, data: bytes) -> None:
        self._out += data
        try:
            self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # macOS while it connects
                raise
        if bool(self._out) != self._writing:
            self._writing = not self._writing
            if self._writing:
                self._client.loop.add_writer(self._socket, self._writable)
            else:
                self._client.loop.remove_writer(self._socket)

    def _writable(self) -> None:
        try:
            self._write(b"")
        except OSError as error:
            self._fail(kind(error))

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
            if not data:
                self._ended()
                return
            if self._tls:
                data, answer = self._tls.read(data)
                if answer:
                    self._write(answer)
            if data and self._request:
                self._parser.feed_data(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(kind(error))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail("not-http")

    def _ended(self) -> None:
        # A body without a length ends with the connection.
        if self._request and self._headers_done and not self._framed:
            self.on_message_complete()
        self._fail("closed")

    def _fail(self, error: str) -> None:
        self._finish(error)
        self.close()

    def _finish(self, error: str) -> None:
        request, self._request = self._request, None
        if request is not None:
            self._client.finish(request, self._version, error)

    # -- httptools' calls

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools`."""
        name = name.lower()
        if name == self._client.version_header:
            self._version = value[:_LONGEST].decode("latin-1")
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
        if status < 200 or self._request is None:
            return
        self._finish("" if status < 400 else str(status))
        self._client.answered(self, self._client.keep_alive and self._parser.should_keep_alive())


class _Tls:
    """TLS on bytes, without a socket.

    Args:
        context: what is trusted.
        name: the name for SNI and for the certificate.
    """

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=name)
        self._waiting = b""
        self._ready = False

    def write(self, data: bytes) -> bytes:
        """What has to go over the wire for `data` to be sent."""
        self._waiting += data
        self._advance()
        return self._out.read()

    def read(self, data: bytes) -> tuple[bytes, bytes]:
        """What was said by `data`, and what has to go over the wire in turn."""
        self._in.write(data)
        plain = b""
        try:
            self._advance()
            while self._ready:
                part = self._object.read(_CHUNK)
                if not part:
                    break
                plain += part
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            pass  # the end of TLS; that of the connection follows
        return plain, self._out.read()

    def _advance(self) -> None:
        try:
            if not self._ready:
                self._object.do_handshake()
                self._ready = True
            if self._waiting:
                self._object.write(self._waiting)
                self._waiting = b""
        except ssl.SSLWantReadError:
            pass


class Client:
    """Sends requests of one kind to one target.

    Args:
        target: where to.
        method: the HTTP method.
        headers: headers beside Host and Connection.
        body: sent with each request; may be empty.
        keep_alive: use a connection again instead of opening one for each request.
        version_header: the header that tells who answered.
        timeout: seconds from the send to the end of the answer; those in which this process did
            not run are left out, since the answer may have been there.
        clock: seconds; the same that the schedule uses.
        on_answer: told of each end.
        on_unsent: told of each request that could not be sent by a fault of this machine's, or
            was given up at the client's end.
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
        self.loop = asyncio.get_running_loop()
        self.address = (target.dial, target.port)
        self.family = socket.AF_INET6 if ":" in target.dial else socket.AF_INET
        self.tls = target.tls()
        self.name = target.host
        self.wire = wire(target, method, headers, body, keep_alive)
        self.bodyless = method == "HEAD"
        self.keep_alive = keep_alive
        self.version_header = version_header.lower().encode("latin-1")
        self.in_flight = 0
        self._timeout = timeout
        self._clock = clock
        self._on_answer = on_answer
        self._on_unsent = on_unsent
        self._idle: dict[Connection, None] = {}
        self._looked = clock()
        self._asleep = 0.0
        # Both in order of time, so that the old ones stand in front.
        self._flying: deque[Request] = deque()
        self._closing: deque[tuple[float, Connection]] = deque()

    def send(self, index: int) -> None:
        """Send one request now."""
        now, awake = self._now()
        request = Request(index, now, awake + self._timeout)
        self.in_flight += 1
        try:
            connection = self._free() or Connection(self)
        except OSError as error:
            if error.errno in _OURS:
                self._give_up(request)
            else:
                self.finish(request, "", kind(error))
            return
        self._flying.append(request)
        connection.send(request)

    def _free(self) -> Connection | None:
        """A connection that waits to be used again."""
        while self._idle:
            connection, _ = self._idle.popitem()
            if not connection.stale():
                return connection
            connection.close()
        return None

    def _now(self) -> tuple[float, float]:
        """The time, and the time without that in which this process did not run."""
        now = self._clock()
        if now - self._looked > 2 * SWEEP:
            self._asleep += now - self._looked
        self._looked = now
        return now, now - self._asleep

    def finish(self, request: Request, version: str, error: str) -> None:
        """A request has ended."""
        request.done = True
        request.connection = None
        self.in_flight -= 1
        self._on_answer(request, self._clock(), version, error)

    def _give_up(self, request: Request) -> None:
        request.done = True
        self.in_flight -= 1
        self._on_unsent(request)

    def answered(self, connection: Connection, again: bool) -> None:
        """A connection has done its work."""
        if again:
            self._idle[connection] = None
        else:
            self._closing.append((self._clock() + _LINGER, connection))

    def gone(self, connection: Connection) -> None:
        """A connection is closed."""
        self._idle.pop(connection, None)

    def sweep(self) -> None:
        """End what has waited too long. To be called every `SWEEP` seconds."""
        now, awake = self._now()
        flying = self._flying
        while flying and (flying[0].done or awake > flying[0].expires):
            request = flying.popleft()
            if not request.done:
                if request.connection:
                    request.connection.close()
                self.finish(request, "", "timeout")
        while self._closing and (self._closing[0][1].closed or self._closing[0][0] < now):
            self._closing.popleft()[1].close()

    def close(self) -> None:
        """Close what is open; what is in flight is given up."""
        for request in self._flying:
            if not request.done:
                if request.connection:
                    request.connection.close()
                self._give_up(request)
        for connection in [*self._idle, *(c for _, c in self._closing)]:
            connection.close()


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


def kind(error: OSError) -> str:
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
