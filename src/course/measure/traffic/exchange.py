"""Requests and their answers, with as little as possible between the clock and the wire.

Sockets of our own on asyncio's loop, and httptools (llhttp) for the answers: a transport, a
protocol and a task for each connection cost half as much again. docs/adr/0005 has the figures.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httptools

from course.measure.traffic.plan import Plan
from course.measure.traffic.request import build
from course.measure.traffic.target import parse, plain

_LINGER = 1.0
"""Seconds that an answered connection is left to the server to close. Who closes first keeps the
port for a minute, and at 500 requests/s a client would soon have none left."""
SWEEP = 0.050
"""Seconds between two looks for what has waited too long."""
_CHUNK = 65536
_LONGEST = 80
"""Characters of a version that are kept."""
_LONGEST_HEAD = 1 << 20
"""Bytes in which the headers must end: a server that never ends them would fill the memory."""
_OURS = {errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
"""Errors that are this machine's and not the server's: no port, no file, no memory left."""
_RESET = struct.pack("ii", 1, 0)
_INTERIM = re.compile(rb"HTTP/1\.\d 1(?!01)\d\d[ \r\n]")
_LEAST = len(b"HTTP/1.1 100 ")
_HEAD_ENDS = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"(?i)\r?\ncontent-length:[ \t]*([^\r\n]*)")
# What clients read though no server should write it. Nothing is passed on, so nobody is misled.
_LENIENT = {
    "lenient_headers": True,  # folded lines, control characters
    "lenient_chunked_length": True,  # Transfer-Encoding overrides a length: RFC 9112, 6.3
    "lenient_optional_cr_before_lf": True,
    "lenient_version": True,  # HTTP/1.2 is read as 1.1 is: RFC 9110, 2.5
    "lenient_spaces_after_chunk_size": True,
}

Clock = Callable[[], float]
Address = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """How one attempt failed.

    Args:
        kind: its name, as in `Answer.error`.
        stage: how far it came: `connect`, `tls` (the handshake), `answer` (the request went out)
            or `rest` (the answer had begun).
        address: who was dialled.
        cause: what was raised, if anything.
        said: the first bytes of the server that could not be understood.
    """

    kind: str
    stage: str
    address: Address
    cause: Exception | None = None
    said: bytes = b""


class Request:
    """One planned request on its way.

    Args:
        index: its place in the schedule.
        sent: when it was sent, by the client's clock.
        expires: when it has waited too long, in time that this process ran.
    """

    __slots__ = ("connection", "done", "expires", "failures", "index", "retried", "sent", "status")

    def __init__(self, index: int, sent: float, expires: float) -> None:
        self.index = index
        self.sent = sent
        self.expires = expires
        self.done = False
        self.retried = False
        self.status = 0
        self.failures: tuple[Failure, ...] = ()
        self.connection: Connection | None = None


OnAnswer = Callable[[Request, float, str, str], None]
"""Called with the request, the time of its answer, the version, and the error or nothing."""
OnUnsent = Callable[[Request], None]


class Connection:
    """A connection that carries one request at a time.

    Args:
        client: who opens it.
        place: which of the client's addresses to dial.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, client: Client, place: int) -> None:
        self._client = client
        self.place = place
        self.address = address = client.addresses[place]
        self._request: Request | None = None
        self._parser: Any = None
        self._version = ""
        self._coding = b""
        self._length = self._headers_done = False
        self._writing = self._connected = self._used = False
        self._heard = 0
        self._before: bytes | None = b""
        self._head = b""
        self._out = b""
        self._unsent: OSError | None = None
        self._socket = socket.socket(
            socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM
        )
        self.closed = False
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _dial(self._socket, address)
        except OSError:
            self._socket.close()
            raise
        if client.wire.head:  # a body all the same: what comes next cannot be told from it
            self.on_body = lambda _: self.close()
        self._tls = _Tls(client.tls, client.name) if client.tls else None
        client.loop.add_reader(self._socket, self._readable)

    def send(self, request: Request) -> None:
        """Write a request; the connection must be free."""
        self._request = request
        request.connection = self
        self._version = ""
        self._coding = b""
        self._length = self._headers_done = False
        self._heard = 0
        self._before = b""
        self._head = b""
        self._parser = self._new_parser()
        try:
            wire = self._client.wire.data
            self._write(self._tls.write(wire) if self._tls else wire)
        except OSError as error:
            self._cannot_write(error)

    def _new_parser(self) -> Any:
        parser = httptools.HttpResponseParser(self)
        parser.set_dangerous_leniencies(**_LENIENT)
        return parser

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

    def expire(self) -> None:
        """Its request has waited too long."""
        self._fail("timeout")

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
            if not self._connected:
                self._connected = True
                self._client.settled(self.place)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # macOS while it connects
                raise
        self._watch_writing()

    def _watch_writing(self) -> None:
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
            self._cannot_write(error)

    def _cannot_write(self, error: OSError) -> None:
        if self._connected and isinstance(error, ConnectionError):
            # A server may answer, and close, before it has read all. What it said is here still.
            self._unsent = error
            self._out = b""
            self._watch_writing()
        else:
            self._fail(kind(error), error)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
            if not data:
                # The end of TCP is not that of TLS: anybody can send it (RFC 9112, 9.8).
                self._ended(clean=self._tls is None)
            elif self._tls is None:
                self._hear(data)
            else:
                self._hear_tls(self._tls, data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(kind(error), error)

    def _hear_tls(self, tls: _Tls, data: bytes) -> None:
        try:
            for plain in tls.read(data):
                self._hear(plain)
        finally:
            answer = tls.pending()  # with an alert, when something is wrong
            if answer and not self.closed:
                try:
                    self._write(answer)
                except OSError as error:
                    self._cannot_write(error)
        if tls.ended and not self.closed:
            self._ended(clean=True)

    def _hear(self, data: bytes) -> None:
        if self._request is None:
            # Nobody asked, so it answers nothing: a 408 for a connection that was idle too long,
            # or bytes beyond the end of an answer.
            self.close()
            return
        self._heard += len(data)
        if self._before is not None:
            data = self._skip_interim(self._before + data)
        if not self._headers_done and self._heard > _LONGEST_HEAD:
            self._fail("not-http", ValueError("its headers do not end"), data)
        if not data or self._request is None:
            return
        if not self._headers_done:
            self._head += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()
        except httptools.HttpParserError as error:
            self._misread(error, data)

    def _skip_interim(self, data: bytes) -> bytes:
        """What follows 100 Continue, 103 Early Hints and their like: they answer nothing yet.

        They are not left to the parser: after one that says `Connection: close`, it stops. Empty
        lines ahead of an answer mean nothing.
        """
        while _INTERIM.match(data := data.lstrip(b"\r\n")):
            end = _HEAD_ENDS.search(data)
            if not end:
                self._before = data
                return b""
            data = data[end.end() :]
        if len(data) < _LEAST and data[:5] == b"HTTP/"[: len(data)]:
            self._before = data
            return b""
        self._before = None
        return data

    def _misread(self, error: Exception, data: bytes) -> None:
        head, self._head = self._head, b""
        whole = _HEAD_ENDS.search(head)
        once = _one_length(head, whole.start()) if whole else None
        if self._headers_done or "Content-Length" not in str(error) or (whole and not once):
            self._fail("not-http", error, data)
            return
        self._parser, self._version = self._new_parser(), ""
        if once:
            self._hear(once)
        else:
            self._before = head  # the rest of the headers is still to come

    def _ended(self, *, clean: bool) -> None:
        # A body without a length ends with the connection.
        if clean and self._request and self._headers_done and self._until_close():
            self.on_message_complete()
        self._fail(kind(self._unsent) if self._unsent else "closed", self._unsent)

    def _fail(
        self, error: str, cause: Exception | None = None, said: bytes = b"", *, lost: bool = False
    ) -> None:
        request, self._request = self._request, None
        self.close()
        if request is None:
            return
        stage = "rest" if self._heard else "answer"
        if not self._connected:
            stage = "connect"
        elif self._tls and not self._tls.ready:
            stage, said = "tls", self._tls.heard
        # A kept connection on which nothing came back: the server may have closed it just before.
        lost = self._used and (lost or (not self._heard and error in ("closed", "reset")))
        failure = Failure(error, stage, self.address, cause, said)
        self._client.failed(request, failure, self.place, self._version, lost=lost)

    def _until_close(self) -> bool:
        """Whether the end of the connection is that of the body (RFC 9112, 6.3)."""
        if self._coding:
            return self._coding.rpartition(b",")[2].strip().lower() != b"chunked"
        return not self._length

    # -- httptools' calls

    def on_message_begin(self) -> None:
        """See `httptools`."""
        if self._request is None:  # more than was asked for
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools`."""
        if self._headers_done:
            return  # a trailer: who answers, and how long, was said before
        name = name.lower()
        if name == self._client.version_header:
            self._version = _joined(self._version, value)
        if name == b"content-length":
            self._length = True
        elif name == b"transfer-encoding":
            self._coding = value

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        self._headers_done = True
        self._head = b""
        status = self._parser.get_status_code()
        if status < 200 and status != 101:  # what `_skip_interim` does not know
            self._fail("not-http", ValueError(f"the status {status:03}"))
        elif self._client.wire.head:
            self.on_message_complete()

    def on_message_complete(self) -> None:
        """See `httptools`."""
        request, client = self._request, self._client
        if request is None:
            return
        request.status = status = self._parser.get_status_code()
        if status == 408 and self._used:  # as servers end idle connections
            self._fail("408", lost=True)
            return
        if status == 101 and not client.wire.upgrade:
            self._fail("not-http", ValueError("101 Switching Protocols, unasked"))
            return
        error = "" if status < 400 else str(status)
        again = client.wire.keep_alive and not self._out and self._parser.should_keep_alive()
        self._request = None
        self._used = True
        client.finish(request, self._version, error)
        if status == 101:
            self.close()
        else:
            client.answered(self, again)


class _Tls:
    """TLS on bytes, without a socket.

    It has `ready` (the handshake is done), `ended` (the other side said so), and `heard`: what
    the other side sent for a handshake that is not done.

    Args:
        context: what is trusted.
        name: the name for SNI and for the certificate.
    """

    def __init__(self, context: ssl.SSLContext, name: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=name)
        self._waiting = b""
        self.ready = self.ended = False
        self.heard = b""

    def write(self, data: bytes) -> bytes:
        """What has to go over the wire for `data` to be sent."""
        self._waiting += data
        self._advance()
        return self._out.read()

    def read(self, data: bytes) -> Iterator[bytes]:
        """What was said by `data`."""
        self._in.write(data)
        if not self.ready:
            self.heard += data
        self._advance()
        try:
            while self.ready and (part := self._object.read(_CHUNK)):
                yield part
            self.ended = self.ready
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True

    def pending(self) -> bytes:
        """What has to go over the wire in turn."""
        return self._out.read()

    def _advance(self) -> None:
        try:
            if not self.ready:
                self._object.do_handshake()
                self.ready, self.heard = True, b""
            if self._waiting:
                self._object.write(self._waiting)
                self._waiting = b""
        except ssl.SSLWantReadError:
            pass


class Client:
    """Sends the request of a plan, as often as it is told to.

    A request times out that many seconds of the plan's after its send; those in which this process
    did not run are left out, since the answer may have been there.

    Args:
        plan: what to send, and where to.
        clock: seconds; the same that the schedule uses.
        on_answer: told of each end.
        on_unsent: told of each request that could not be sent by a fault of this machine's, or
            was given up at the client's end.
    """

    def __init__(
        self, plan: Plan, *, clock: Clock, on_answer: OnAnswer, on_unsent: OnUnsent
    ) -> None:
        self.loop = asyncio.get_running_loop()
        target = parse(plan.url, ca=plan.ca or None, verify=plan.verify)
        self.addresses: tuple[Address, ...] = target.addresses
        self.tls = target.tls()
        self.name = target.name
        self.wire = build(plan, target)
        self.version_header = plan.version_header.lower().encode()
        self.in_flight = 0
        self._place: int | None = None
        self._timeout = plan.timeout
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
        self._flying.append(request)
        connection = self._free()
        if connection:
            connection.send(request)
        else:
            self._connect(request, self._place or 0)

    def _connect(self, request: Request, place: int) -> None:
        try:
            connection = Connection(self, place)
        except OSError as error:
            if error.errno in _OURS and place == 0:
                self._give_up(request)
            else:
                failure = Failure(kind(error), "connect", self.addresses[place], error)
                self.failed(request, failure, place)
            return
        connection.send(request)

    def settled(self, place: int) -> None:
        """Somebody listens there: the run stays with this address."""
        if self._place is None:
            self._place = place

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

    def failed(
        self,
        request: Request,
        failure: Failure,
        place: int,
        version: str = "",
        *,
        lost: bool = False,
    ) -> None:
        """An attempt has failed; there may be another.

        Args:
            request: whose.
            failure: how.
            place: the address that was dialled.
            version: who had begun to answer.
            lost: it went out on a kept connection that the server may have closed before. Then it
                is sent once more, if it may be (RFC 9112, 9.3.1), as browsers and Go do it.
        """
        if lost and self.wire.idempotent and not request.retried:
            request.retried = True
            self._connect(request, place)
            return
        request.failures += (failure,)
        if failure.stage == "connect" and failure.kind != "timeout":
            following = place + 1 if self._place is None else self._place
            if place < following < len(self.addresses):
                self._connect(request, following)
                return
            failure = request.failures[0]
        self.finish(request, version, failure.kind)

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
                    request.connection.expire()
                else:
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


def _dial(sock: socket.socket, address: Address) -> None:
    """Begin to connect.

    Raises:
        OSError: that fails at once.
    """
    code = sock.connect_ex(address)
    if code in (0, errno.EINPROGRESS) and _meets_itself(sock, address):
        # Nobody listens, and the port that the kernel chose for us is the one that we dial: it
        # connects us to ourselves (RFC 9293, 3.5), and a server could not bind that port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        code = errno.ECONNREFUSED
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, os.strerror(code))


def _meets_itself(sock: socket.socket, address: Address) -> bool:
    host, port = sock.getsockname()[:2]
    if port != address[1]:
        return False
    here, there = (plain(name) for name in (host, address[0]))
    return here == there or (there.is_unspecified and here.is_loopback)


def _joined(version: str, value: bytes) -> str:
    """A version, together with what another line of the same header said (RFC 9110, 5.3)."""
    text = value.strip(b" \t").decode("utf-8", "backslashreplace")
    if not text.isprintable():  # it ends on a terminal
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    text = text[:_LONGEST]
    if not version or text in ("", version):
        return text or version
    return f"{version}, {text}"[:_LONGEST]


def _one_length(data: bytes, end: int) -> bytes | None:
    """An answer whose length is said twice, but alike, with it said once (RFC 9112, 6.3).

    llhttp refuses it, clients do not.

    Args:
        data: the answer so far.
        end: where its headers end.
    """
    lines: list[bytes] = _LENGTH.findall(data[:end])
    lengths: set[bytes] = {one.strip() for line in lines for one in line.split(b",")}
    if len(lengths) != 1 or lines == [*lengths]:
        return None
    once = b"\r\nContent-Length: " + lengths.pop()
    return _LENGTH.sub(b"", data[:end]) + once + data[end:]


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
