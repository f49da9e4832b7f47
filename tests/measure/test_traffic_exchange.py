"""course.measure.traffic.exchange: one request and its answer, byte by byte, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from course.measure.traffic import exchange
from course.measure.traffic.exchange import SWEEP, Client, Request
from course.measure.traffic.plan import Plan
from tests.loopback import Server, serving, version
from tests.until import until

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nX-Orders-Version: v7\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class End:
    """How one request ended."""

    error: str
    version: str
    status: int
    retried: bool


async def _send(
    url: str, number: int = 1, pause: float = 0.0, together: int = 1, **plan: Any
) -> list[End]:
    ended: list[End] = []
    wake = asyncio.Event()

    def end(request: Request, version: str, error: str) -> None:
        ended.append(End(error, version, request.status, request.retried))
        wake.set()

    client = Client(
        Plan(url, 1.0, 1.0, **{"timeout": 20.0, **plan}),
        clock=time.monotonic,
        on_answer=lambda request, _, version, error: end(request, version, error),
        on_unsent=lambda request: end(request, "", "unsent"),
    )
    for sent in range(0, number, together):
        for index in range(together):
            client.send(sent + index)
        while len(ended) < sent + together:
            wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), SWEEP)
            client.sweep()
        await asyncio.sleep(pause)
    client.close()
    return ended


def talk(
    handler: Handler,
    number: int = 1,
    *,
    pause: float = 0.0,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    name: str = "orders.localhost",
    **plan: Any,
) -> list[End]:
    """What the client makes of a server: the ends of some requests, one after the other."""

    async def work() -> list[End]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await handler(reader, writer)
            with contextlib.suppress(OSError):
                writer.close()

        server = await asyncio.start_server(serve, host, 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        url = f"{'https' if tls else 'http'}://{name}:{port}/"
        try:
            return await _send(url, number, pause, **plan)
        finally:
            server.close()

    return asyncio.run(asyncio.wait_for(work(), 30))


def says(*parts: bytes, keep: float = 0.0) -> Handler:
    """A server that says this after each request's head, part by part, and then closes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        await asyncio.sleep(keep)

    return handler


def serves(*answers: bytes) -> Handler:
    """A server that answers each request of a connection in turn, and keeps it open."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        await reader.read()

    return handler


def answer(head: str, body: str = "", version: str = "v7") -> bytes:
    lines = ["HTTP/1.1 200 OK", f"X-Orders-Version: {version}", *head.splitlines(), "", ""]
    return "\r\n".join(lines).encode() + body.replace("\n", "\r\n").encode()


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


# -- who answers


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nX-Orders-Version: v1\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nX-Orders-Version: v1\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\nX-Orders-Version: v1\r\n\r\n" * 3,
        b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\nX-Orders-Version: v1\r\n\r\n",
        b"HTTP/1.0 100 Continue\r\nX-Orders-Version: v1\r\n\r\n",
        b"\r\nHTTP/1.1 103 Early Hints\r\nX-Orders-Version: v1\r\n\r\n\r\n",
        b"HTTP/1.2 103 Early Hints\r\nX-Orders-Version: v1\r\n\r\n",
        b"HTTP/1.1 103\nX-Orders-Version: v1\n\n",
    ],
)
@pytest.mark.parametrize("cut", [1, 7, 12, 30, 10_000])
def test_an_interim_answer_says_nothing_of_the_final_one(interim: bytes, cut: int) -> None:
    final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    for wanted, last in (("", final), ("v7", OK)):
        [end] = talk(says((interim + last)[:cut], (interim + last)[cut:]))
        assert (end.error, end.version, end.status) == ("", wanted, 200)


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "connection"])
def test_any_header_may_be_the_one_that_tells_who_answers(name: str) -> None:
    head = {"content-length": "Content-Length: 2", "connection": "Connection: close"}
    text = answer(head.get(name, "Transfer-Encoding: chunked"), "2\nok\n0\n\n")
    [whole] = talk(says(text), version_header=name)
    assert (whole.error, whole.version) == ("", head.get(name, "x: chunked").split()[1])
    if name == "content-length":
        [cut] = talk(says(answer("Content-Length: 9")), version_header=name)
        assert cut.error == "closed"


def test_interim_answers_alone_are_no_answer() -> None:
    [end] = talk(says(b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert (end.error, end.status) == ("closed", 0)


def test_a_trailer_says_nothing_of_who_answers() -> None:
    chunked = "Transfer-Encoding: chunked\nTrailer: X-Orders-Version"
    body = "2\nok\n0\nX-Orders-Version: v9\n\n"
    [end] = talk(says(answer(chunked, body)))
    assert (end.error, end.version) == ("", "v7")
    [end] = talk(says(answer(chunked, body, version="")))
    assert (end.error, end.version) == ("", "")


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (b"v1", "v1"),
        (b"  v1\t ", "v1"),
        ("v1-Łódź".encode(), "v1-Łódź"),
        (b"caf\xe9", "caf\\xe9"),
        (b"a\x1b[31mb", "a\\x1b[31mb"),
        (b"[bold]v1[/]", "[bold]v1[/]"),
        (b"x" * 100_000, "x" * 80),
        (b"v1\r\nx-orders-version: v1", "v1"),
        (b"v1\r\nX-ORDERS-VERSION: v2", "v1, v2"),
        (b"\r\nX-Orders-Version: v2", "v2"),
        (b"v1\r\n  beta", "v1  beta"),
    ],
)
def test_a_version_is_what_its_header_says(value: bytes, version: str) -> None:
    text = b"HTTP/1.1 200 OK\r\nX-Orders-Version: " + value + b"\r\nContent-Length: 0\r\n\r\n"
    [end] = talk(says(text))
    assert (end.error, end.version) == ("", version)


# -- where an answer ends


@pytest.mark.parametrize(
    "text",
    [
        answer("Transfer-Encoding: identity", "until the end"),
        answer("Transfer-Encoding: gzip", "until the end"),
        answer("Transfer-Encoding: chunked, gzip", "until the end"),
        answer("Transfer-Encoding: chunked\nTransfer-Encoding: gzip", "until the end"),
        answer("", "until the end"),
        answer("Transfer-Encoding: gzip, chunked", "2\nok\n0\n\n"),
        answer("Transfer-Encoding: GZip\ntransfer-encoding: Chunked", "2\nok\n0\n\n"),
        answer("Transfer-Encoding: chunked\nContent-Length: 999", "2\nok\n0\n\n"),
        answer("Content-Length: 999\nTransfer-Encoding: chunked", "2\nok\n0\n\n"),
        answer("Transfer-Encoding: chunked", '2;a=b;c="d e"\nok\n0;x\n\n'),
        answer("Transfer-Encoding: chunked", "2  \nok\n0\n\n"),
        answer("Transfer-Encoding: chunked", "2\nok\n0\nX-Sum: 1\nX-More: 2\n\n"),
        answer("Content-Length: 2\nContent-Length: 2", "ok"),
        answer("Content-Length: 2, 2", "ok"),
        answer("Content-Length: 2").replace(b"\r\n", b"\n") + b"ok",
        answer("Content-Length: 2\nX-Folded: a\n\tb", "ok"),
        answer("Content-Length: 2\nX-Empty:\nX-Bell: \a", "ok"),
        answer("Content-Length: 2\n" + "\n".join(f"X-{i}: {'y' * 1000}" for i in range(150)), "ok"),
        answer("Content-Length: 2", "ok").replace(b"200 OK", "200 Łódź".encode()),
        answer("Content-Length: 2", "ok").replace(b"200 OK", b"200"),
        answer("Content-Length: 2", "ok").replace(b"HTTP/1.1", b"HTTP/1.0"),
        answer("Content-Length: 9").replace(b"200 OK", b"304 Not Modified"),
        answer("Transfer-Encoding: chunked").replace(b"200 OK", b"204 No Content"),
        answer("Upgrade: h2c\nConnection: Upgrade\nContent-Length: 2", "ok"),
        answer("Content-Length: 2", "ok").replace(b"HTTP/1.1", b"HTTP/1.2"),
        b"\r\n\n" * 3 + answer("Content-Length: 2", "ok"),
        b"\r\n" + answer("Content-Length: 2", "ok"),
    ],
)
def test_an_answer_in_any_form_that_clients_read_is_well(text: bytes) -> None:
    for parts in ((text,), (text[:40], text[40:]), (text[:-3], text[-3:])):
        [end] = talk(says(*parts))
        assert (end.error, end.version) == ("", "v7")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (answer("Content-Length: 3", "ok"), "closed"),
        (answer("Transfer-Encoding: chunked", "2\nok\n"), "closed"),
        (answer("Transfer-Encoding: chunked", "2\nok\n0\n"), "closed"),
        (answer("Transfer-Encoding: gzip, chunked", "5\nok"), "closed"),
        (answer("Transfer-Encoding: chunked", "fffffffffffffff0\nok"), "closed"),
        (answer("Content-Length: 9223372036854775807", "ok"), "closed"),
        (answer("Content-Length: 2\n")[:-4], "closed"),
        (b"HTTP/1.1 200 OK\r\nX-Ord", "closed"),
        (b"HTTP/1", "closed"),
        (b"", "closed"),
        (answer("Transfer-Encoding: chunked", "fffffffffffffffff\nok"), "not-http"),
        (answer("Transfer-Encoding: chunked", "xyz\nok"), "not-http"),
        (answer("Content-Length: 2\nContent-Length: 3", "ok"), "not-http"),
        (answer("Content-Length: 2, 3", "ok"), "not-http"),
        (answer("Content-Length: -2", "ok"), "not-http"),
        (answer("Content-Length: 99999999999999999999999", "ok"), "not-http"),
        (answer("no colon here", "ok"), "not-http"),
        (b"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", "not-http"),
        (b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", "not-http"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not-http"),
        (b"<html>no head</html>", "not-http"),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
            "not-http",
        ),
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "999"),
        (b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", "408"),
    ],
)
def test_an_answer_that_is_none_has_its_kind(text: bytes, error: str) -> None:
    [end] = talk(says(text))
    assert end.error == error


def test_a_protocol_that_was_asked_for_may_be_switched_to() -> None:
    switch = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n\x81\x02hi"
    )
    [end] = talk(says(switch), headers=(("Upgrade", "x"),))
    assert (end.error, end.status) == ("", 101)


def test_a_connection_that_is_reset_in_the_headers_is_reset() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Orders-Version: v7\r\nX-")
        await writer.drain()
        await asyncio.sleep(0.05)
        reset(writer)

    [end] = talk(handler)
    assert (end.error, end.version) == ("reset", "v7")


def test_a_body_without_end_is_ended_by_the_timeout() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer("Transfer-Encoding: chunked"))
        while True:
            writer.write(b"4\r\nmore\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    [end] = talk(handler, timeout=0.3)
    assert end.error == "timeout"


def test_headers_without_end_do_not_fill_the_memory() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(1000):
            writer.write(b"x" * 65536)
            await writer.drain()

    [end] = talk(handler)
    assert end.error == "not-http"


def test_a_head_has_no_body_whatever_it_says() -> None:
    ends = talk(serves(answer("Content-Length: 999"), OK), 2, method="HEAD", keep_alive=True)
    assert [end.error for end in ends] == ["", ""]


def test_a_body_that_answers_a_head_is_not_taken_for_the_next_answer() -> None:
    wrong = answer("Content-Length: 2", "ok").replace(b"v7", b"v1")
    ends = talk(serves(wrong, wrong), 3, method="HEAD", keep_alive=True)
    assert [(end.error, end.version) for end in ends] == [("", "v1")] * 3


def test_a_server_may_answer_before_it_has_read_the_body() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nX-Orders-Version: v7\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)
        reset(writer)

    for keep_alive in (False, True):
        ends = talk(handler, 2, method="POST", body="x" * 20_000_000, keep_alive=keep_alive)
        assert [(end.error, end.version) for end in ends] == [("413", "v7")] * 2


# -- kept connections


def _counted(answers: Callable[[int, int], bytes], after: float = 0.0) -> tuple[Handler, list[int]]:
    """Answers by number of connection and of request on it; empty ends the connection."""
    opened: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(0)
        connection = len(opened)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            opened[connection - 1] += 1
            text = answers(connection, opened[connection - 1])
            if not text:
                return
            writer.write(text)
            await writer.drain()

    return handler, opened


def test_a_request_lost_on_a_kept_connection_is_sent_once_more() -> None:
    handler, opened = _counted(lambda _, request: OK if request == 1 else b"")
    ends = talk(handler, 3, keep_alive=True)
    assert [(end.error, end.retried) for end in ends] == [("", False), ("", True), ("", True)]
    assert len(opened) == 3


def test_a_request_lost_twice_is_lost() -> None:
    handler, opened = _counted(lambda c, r: OK if (c, r) == (1, 1) else b"")
    ends = talk(handler, 2, keep_alive=True)
    assert [(end.error, end.retried) for end in ends] == [("", False), ("closed", True)]
    assert opened == [2, 1]


def test_what_may_not_be_sent_twice_is_not() -> None:
    handler, opened = _counted(lambda _, request: OK if request == 1 else b"")
    ends = talk(handler, 2, keep_alive=True, method="POST")
    assert [(end.error, end.retried) for end in ends] == [("", False), ("closed", False)]
    assert opened == [2]


def test_a_first_request_of_a_connection_is_not_sent_again() -> None:
    handler, opened = _counted(lambda *_: b"")
    ends = talk(handler, 1, keep_alive=True)
    assert [(end.error, end.retried) for end in ends] == [("closed", False)]
    assert opened == [1]


def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for text in (OK, OK[:-1]):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(text)
            await writer.drain()

    ends = talk(cut, 2, keep_alive=True)
    assert [(end.error, end.retried) for end in ends] == [("", False), ("closed", False)]


@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_a_408_of_an_idle_connection_answers_no_request(pause: float) -> None:
    late = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await writer.drain()
        if pause:
            await asyncio.sleep(pause / 2)
        else:
            await reader.readexactly(1)
        writer.write(late)

    ends = talk(handler, 3, pause=pause, keep_alive=True)
    assert [end.error for end in ends] == ["", "", ""]


@pytest.mark.parametrize("extra", [OK.replace(b"v7", b"v8"), b"junk", b"\r\n\r\njunk"])
@pytest.mark.parametrize("apart", [False, True])
def test_bytes_beyond_an_answer_answer_no_request(extra: bytes, apart: bool) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK if apart else OK + extra)
            await writer.drain()
            if apart:
                await asyncio.sleep(0.02)
                writer.write(extra)

    ends = talk(handler, 3, pause=0.06, keep_alive=True)
    assert [(end.error, end.version) for end in ends] == [("", "v7")] * 3


@pytest.mark.parametrize(
    ("head", "connections"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0", 1),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0", 1),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0", 3),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0", 3),
        ("HTTP/1.1 204 No Content", 1),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 7", 1),
    ],
)
def test_a_connection_is_kept_if_the_server_keeps_it(head: str, connections: int) -> None:
    handler, opened = _counted(lambda *_: head.encode() + b"\r\n\r\n")
    ends = talk(handler, 3, keep_alive=True)
    assert [end.error for end in ends] == ["", "", ""]
    assert len(opened) == connections


# -- TLS


@pytest.fixture(scope="module")
def server_tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-days", "2", "-subj", "/CN=orders.localhost"]
    argv += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(argv, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def _cut(text: bytes) -> Handler:
    """Says this over TLS, and ends TCP alone: no close_notify."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()
        await asyncio.sleep(0.05)
        sock = writer.get_extra_info("socket")
        with socket.socket(fileno=socket.dup(sock.fileno())) as twin:
            twin.shutdown(socket.SHUT_WR)
        await asyncio.sleep(0.1)
        writer.transport.abort()

    return handler


def test_a_body_over_tls_ends_with_tls_and_not_with_tcp(server_tls: ssl.SSLContext) -> None:
    until_close, length = answer("", "until the end"), OK
    for text, cut, well in (
        (until_close, "closed", ""),
        (answer("Transfer-Encoding: identity", "x"), "closed", ""),
        (length, "", ""),
        (length[:-1], "closed", "closed"),
    ):
        [end] = talk(_cut(text), tls=server_tls, verify=False)
        assert end.error == cut
        [end] = talk(says(text), tls=server_tls, verify=False)
        assert end.error == well


def test_a_server_that_says_the_end_of_tls_and_keeps_tcp_has_answered(
    server_tls: ssl.SSLContext,
) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer("", "until the end"))
        await writer.drain()
        tls = writer.get_extra_info("ssl_object")
        with contextlib.suppress(ssl.SSLError):
            tls.unwrap()  # only writes it: asyncio's own half goes on
        writer.transport._ssl_protocol._process_outgoing()  # type: ignore[attr-defined]
        await asyncio.sleep(3600)

    [end] = talk(handler, tls=server_tls, verify=False, timeout=3)
    assert end.error == ""


def test_kept_connections_over_tls_are_used_again(server_tls: ssl.SSLContext) -> None:
    handler, opened = _counted(lambda *_: OK)
    ends = talk(handler, 4, tls=server_tls, verify=False, keep_alive=True, pause=0.02)
    assert [end.error for end in ends] == [""] * 4
    assert opened == [4]


# -- who is dialled


def test_where_nobody_listens_nobody_is_reached_not_even_oneself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    real = exchange._dial

    def dial(sock: socket.socket, address: tuple[Any, ...]) -> None:
        # As the kernel does once it has gone through the other ports of the range.
        sock.bind(address)
        real(sock, address)

    monkeypatch.setattr(exchange, "_dial", dial)
    ends = asyncio.run(_send(f"http://127.0.0.1:{port}/", 50))
    assert {end.error for end in ends} == {"refused"}
    assert _free(port)


@pytest.mark.parametrize(
    ("own", "dialled"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "0.0.0.0"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("::1", "::1"),
        ("::1", "0:0:0:0:0:0:0:1"),
    ],
)
def test_a_connection_to_oneself_is_refused_however_it_is_written(own: str, dialled: str) -> None:
    family = socket.AF_INET6 if ":" in own else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        try:
            sock.bind((own, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        port = sock.getsockname()[1]
        sock.setblocking(False)
        with pytest.raises(ConnectionRefusedError):
            exchange._dial(sock, (dialled, port))
    assert _free(port)


def _free(port: int) -> bool:
    with socket.socket() as server:
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def sixth() -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.mark.usefixtures("sixth")
@pytest.mark.parametrize("name", ["localhost", "orders.localhost", "shop.example.test", "[::1]"])
def test_a_name_whose_server_listens_on_the_other_loopback_is_reached(name: str) -> None:
    handler, opened = _counted(lambda *_: OK)
    ends = talk(handler, 4, host="::1", name=name)
    assert [end.error for end in ends] == [""] * 4
    assert len(opened) == 4


@pytest.mark.usefixtures("sixth")
def test_a_run_stays_with_the_address_that_answered_first() -> None:
    async def work() -> list[str]:
        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
            writer.close()
            first.close()

        first = await asyncio.start_server(one, "127.0.0.1", 0)
        port = first.sockets[0].getsockname()[1]
        second = await asyncio.start_server(one, "::1", port)
        ends = await _send(f"http://localhost:{port}/", 3, pause=0.05)
        second.close()
        return [end.error for end in ends]

    assert asyncio.run(work()) == ["", "refused", "refused"]


def test_an_address_without_a_second_one_is_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for name in ("127.0.0.1", "localhost", "[::1]"):
        ends = asyncio.run(_send(f"http://{name}:{port}/", 2))
        assert {end.error for end in ends} <= {"refused", "unreachable"}


def url(server: Server, host: str = "orders.localhost", scheme: str = "http") -> str:
    return f"{scheme}://{host}:{server.port}/"


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    writers: list[asyncio.StreamWriter] = []
    ends: list[str] = []

    async def answer(server: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        writers.append(writer)
        return await version("v1")(server, writer, head)

    async def use(server: Server) -> None:
        client = Client(
            Plan(url(server), 1.0, 1.0, keep_alive=True),
            clock=time.monotonic,
            on_answer=lambda _, __, ___, error: ends.append(error),
            on_unsent=lambda _: ends.append("unsent"),
        )
        for number in (1, 2):
            client.send(number)
            while len(ends) < number:
                await asyncio.sleep(0.01)
            server.hang_up(writers[-1])
            # This waits without giving way: the client's loop is blind to what it would be told.
            until(lambda: writers[-1].get_extra_info("socket").fileno() == -1)
        client.close()

    with serving(answer) as server:
        asyncio.run(use(server))
        assert ends == ["", ""]
        assert server.connections == 2
