"""course.measure.traffic.preflight: the run's own request ahead of it, and what is in its way."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from course.core.errors import CourseError
from course.measure import traffic
from course.measure.traffic import exchange
from course.measure.traffic.plan import Plan
from course.measure.traffic.preflight import first
from tests import loopback
from tests.loopback import Server, reply, serving, version

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Raw(Server):
    """A server that does what it likes with a connection."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        super().__init__(loopback.close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._handler(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()


@contextlib.contextmanager
def raw(handler: Handler) -> Iterator[Server]:
    server = Raw(handler)
    try:
        yield server
    finally:
        server.stop()


def says(text: bytes, then: float = 0.0) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(text)
        await writer.drain()
        await asyncio.sleep(then)

    return handler


def url(server: Server, scheme: str = "http", host: str = "orders.localhost") -> str:
    return f"{scheme}://{host}:{server.port}/"


def saw(address: str, **plan: Any) -> str:
    """What stands in the way of a plan."""
    with pytest.raises(CourseError) as caught:
        first(Plan(address, 1.0, 1.0, **plan))
    assert caught.value.want
    assert caught.value.try_
    return caught.value.saw


# -- it is the plan's own request


def test_it_is_what_the_run_will_send() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(
            url(server),
            rate=20,
            seconds=0.2,
            method="POST",
            headers=[("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Name", "Łódź"), ("Host", "shop")],
            body="tea",
            keep_alive=True,
            probe=True,
        )
        assert run.wait().errors == {}
        heads = set(server.heads)
    # A head, behind the body of the request before on the same connection.
    assert len({head.removeprefix("tea") for head in heads}) == 1


def test_it_waits_as_long_as_the_run_will() -> None:
    async def slow(server: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        await asyncio.sleep(3.5)
        return await version("v1")(server, writer, head)

    with serving(slow) as server:
        assert first(Plan(url(server), 1.0, 1.0, timeout=10)) == 200
        assert "does not answer within 0.3 s" in saw(url(server), timeout=0.3)


def test_it_is_not_a_get_where_that_is_dropped() -> None:
    async def posts(server: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        return head.startswith("POST ") and await version("v1")(server, writer, head)

    with serving(posts) as server:
        assert first(Plan(url(server), 1.0, 1.0, method="POST")) == 200
        assert "closes the connection without an answer" in saw(url(server))


def test_it_reads_what_the_run_reads() -> None:
    many = "".join(f"X-{i}: {'y' * 1000}\n" for i in range(150))
    with serving(reply(f"HTTP/1.1 200 OK\n{many}Content-Length: 0\n\n")) as server:
        assert first(Plan(url(server), 1.0, 1.0)) == 200


@pytest.mark.parametrize("status", [200, 302, 404, 503])
def test_any_status_is_an_answer(status: int) -> None:
    with serving(version("v1", status=f"{status} Some Reason")) as server:
        assert traffic.probe(url(server)) == status


def test_it_can_be_asked_for_where_a_loop_runs() -> None:
    async def notebook(address: str) -> int:
        return traffic.probe(address)

    with serving(version("v1")) as server:
        assert asyncio.run(notebook(url(server))) == 200


# -- what stands in the way


def test_nobody_listens_on_either_loopback() -> None:
    with serving(version("v1")) as server:
        server.shut()
        port = server.port
        told = saw(url(server))
        assert f"nothing answers HTTP at 127.0.0.1:{port}, nor at [::1]:{port}" in told
        assert "refused" in told
        told = saw(f"http://127.0.0.1:{port}/")
        assert f"nothing answers HTTP at 127.0.0.1:{port} (connection refused)" in told


def test_a_server_on_the_other_loopback_is_loaded() -> None:
    if not _sixth():
        pytest.skip("no IPv6 here")
    with _listening("::1") as server:
        run = traffic.start(
            f"http://localhost:{server}/", rate=50, seconds=0.4, probe=True, timeout=2
        )
        summary = run.wait()
    assert summary.errors == {}
    assert summary.by_version == {"v6": 20 - summary.unsent}


@pytest.mark.parametrize(
    ("text", "then", "told"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", 0, "answers, but not in valid HTTP/1.1"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", 0, "SSH-2.0"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", 0, "in the middle of its answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", 0, "in the middle of its answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 9, "begins to answer, but does not end"),
        (b"", 9, "takes the request and does not answer within 2 s"),
        (b"", 0, "closes the connection without an answer"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, "unasked"),
    ],
)
def test_an_answer_that_is_none_is_told_as_it_is(text: bytes, then: float, told: str) -> None:
    with raw(says(text, then)) as server:
        assert told in saw(url(server), timeout=2 if then else 20)


def test_a_reset_is_told_as_it_is() -> None:
    with serving(loopback.reset) as server:
        assert "resets the connection" in saw(url(server))


@pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES])
def test_no_route_is_told_as_it_is(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def dial(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(exchange, "_dial", dial)
    why = os.strerror(code).lower()
    assert saw("http://10.1.2.3:81/") == f"nothing answers HTTP at 10.1.2.3:81 ({why})"


def test_ports_that_have_run_out_are_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def dial(*_: object) -> None:
        raise OSError(errno.EADDRNOTAVAIL, "none left")

    monkeypatch.setattr(exchange, "_dial", dial)
    assert "this machine has no port" in saw("http://10.1.2.3:81/")


# -- TLS


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and what it signed: good, expired."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA")
    (folder / "names").write_text("subjectAltName=DNS:shop.localhost\n")
    for name, days in (("good", "2"), ("expired", "-1")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=shop")
        sign = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
        openssl(*sign, "-CAcreateserial", "-days", days, "-extfile", "names", "-out", f"{name}.pem")
    (folder / "uses").write_text("extendedKeyUsage=clientAuth\nsubjectAltName=DNS:shop.localhost\n")
    sign = ["x509", "-req", "-in", "good.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2"]
    openssl(*sign, "-CAcreateserial", "-extfile", "uses", "-out", "clients.pem")
    shutil.copy(folder / "good.key", folder / "clients.key")
    openssl("x509", "-in", "ca.pem", "-outform", "der", "-out", "ca.der")
    return folder


def context(pki: Path, name: str = "good") -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    return tls


@contextlib.contextmanager
def _served(listener: socket.socket, serve: Callable[[], None]) -> Iterator[int]:
    """Serve a socket in a thread of its own until it is closed; its port."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@contextlib.contextmanager
def alerting(tls: ssl.SSLContext) -> Iterator[int]:
    """A server that says why it ends a handshake, as all but asyncio's do; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), tls.wrap_socket(connection, server_side=True) as out:
                out.settimeout(5)
                out.recv(65536)
                out.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with _served(listener, serve) as port:
        yield port


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_a_client_certificate_that_is_required_is_named(pki: Path, newest: ssl.TLSVersion) -> None:
    ca = str(pki / "ca.pem")
    tls = context(pki)
    tls.maximum_version = newest
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_verify_locations(ca)
    with alerting(tls) as port:
        told = saw(f"https://shop.localhost:{port}/", ca=ca)
    assert "requires a client certificate" in told
    with serving(version("v1"), tls) as server:  # it closes, and says nothing
        told = saw(url(server, "https", "shop.localhost"), ca=ca)
    assert "a client certificate, and the generator has none" in told


def test_a_name_that_the_server_does_not_know_is_named(pki: Path) -> None:
    tls = context(pki)

    def refuse(_: object, name: str | None, __: object) -> int | None:
        known = name == "shop.localhost"
        return None if known else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    tls.sni_callback = refuse
    with alerting(tls) as port:
        told = saw(f"https://other.localhost:{port}/", ca=str(pki / "ca.pem"))
        assert "does not know the name other.localhost (SNI)" in told
        # A dot at the end is not part of the name that TLS asks for.
        for name in ("shop.localhost", "shop.localhost."):
            assert traffic.probe(f"https://{name}:{port}/", ca=pki / "ca.pem") == 200
    with serving(version("v1"), tls) as server:  # it closes, and says nothing
        told = saw(url(server, "https", "other.localhost"), ca=str(pki / "ca.pem"))
    assert "closes the connection in the TLS handshake" in told
    assert "other.localhost" in told


def test_a_file_of_trust_may_hold_what_is_no_root(pki: Path) -> None:
    """As curl takes it: the server's own certificate, or an authority in between."""
    with serving(version("v1"), context(pki)) as server:
        for file in ("good.pem", "ca.pem"):
            address = url(server, "https", "shop.localhost")
            assert traffic.probe(address, ca=pki / file) == 200
        assert "Hostname mismatch" in saw(
            url(server, "https", "other.localhost"), ca=str(pki / "good.pem")
        )


def test_a_certificate_that_is_not_for_servers_is_not_called_untrusted(pki: Path) -> None:
    with (
        serving(version("v1"), context(pki, "clients")) as server,
        pytest.raises(CourseError, match="purpose") as caught,
    ):
        first(Plan(url(server, "https", "shop.localhost"), 1.0, 1.0, ca=str(pki / "ca.pem")))
    assert "--ca" not in str(caught.value) and "a server" in caught.value.want


def test_http_1_is_asked_for_by_name(pki: Path) -> None:
    tls = context(pki)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    seen: list[str | None] = []

    async def answer(server: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        seen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        return await version("v1")(server, writer, head)

    with serving(answer, tls) as server:
        assert traffic.probe(url(server, "https", "shop.localhost"), ca=pki / "ca.pem") == 200
    assert seen == ["http/1.1"]


def test_a_server_that_speaks_http_2_only_is_named() -> None:
    settings = bytes.fromhex("00000604000000000000030000006400000408000000000000010000")
    goaway = bytes.fromhex("0000080700000000000000000000000001")
    for text in (settings, goaway):
        with raw(says(text, 0.5)) as server:
            assert "speaks HTTP/2 only" in saw(url(server))


def test_an_old_version_of_tls_is_named(pki: Path) -> None:
    tls = context(pki)
    with pytest.warns(DeprecationWarning):
        tls.minimum_version = ssl.TLSVersion.TLSv1
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")
    with alerting(tls) as port:
        told = saw(f"https://shop.localhost:{port}/", ca=str(pki / "ca.pem"))
    assert "version of TLS only" in told


@pytest.mark.parametrize(
    ("name", "host", "trusted", "told"),
    [
        ("expired", "shop.localhost", True, "expired"),
        ("good", "other.localhost", True, "Hostname mismatch"),
        ("good", "127.0.0.1", True, "IP address mismatch"),
        ("good", "shop.localhost", False, "unable to get local issuer"),
    ],
)
def test_a_certificate_that_fails_says_why(
    pki: Path, name: str, host: str, trusted: bool, told: str
) -> None:
    with serving(version("v1"), context(pki, name)) as server:
        address = url(server, "https", host)
        assert told in saw(address, ca=str(pki / "ca.pem") if trusted else "")
        assert first(Plan(address, 1.0, 1.0, verify=False)) == 200


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("none.pem", "No such file"),
        ("ca.key", "private key"),
        ("ca.der", "DER"),
        ("names", "no certificate"),
        (".", "Is a directory"),
        ("cut.pem", "damaged"),
    ],
)
def test_a_ca_file_that_is_none_says_why(pki: Path, file: str, why: str) -> None:
    text = (pki / "ca.pem").read_text().splitlines()
    (pki / "cut.pem").write_text("\n".join([text[0], text[1][:30], text[-1], ""]))
    assert why in saw("https://shop.localhost:1/", ca=str(pki / file))


def test_keys_are_not_written_where_the_shell_says(
    pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with serving(version("v1"), context(pki)) as server:
        traffic.probe(url(server, "https", "shop.localhost"), ca=pki / "ca.pem")
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("plain", [400, "closes"])
def test_plain_http_towards_tls_is_named(pki: Path, plain: object) -> None:
    if plain == "closes":  # as Python and node do
        with serving(version("v1"), context(pki)) as server:
            assert "speaks TLS, and the address says http://" in saw(url(server))
        return
    upstream = Server(version("v1"), context(pki))

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first_bytes = await reader.read(65536)
        if not first_bytes.startswith(b"\x16"):  # as nginx and Go do
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            return
        inner, out = await asyncio.open_connection("127.0.0.1", upstream.port)
        out.write(first_bytes)
        with contextlib.suppress(TimeoutError):
            writer.write(await asyncio.wait_for(inner.read(65536), 2))
            await writer.drain()
            out.write(await asyncio.wait_for(reader.read(65536), 2))
            writer.write(await asyncio.wait_for(inner.read(65536), 2))
        out.close()

    try:
        with raw(both) as server:
            assert "speaks TLS, and the address says http://" in saw(url(server))
    finally:
        upstream.stop()


def test_a_400_of_a_server_without_tls_is_an_answer() -> None:
    with serving(version("v1", status="400 Bad Request")) as server:
        assert traffic.probe(url(server)) == 400


@pytest.mark.parametrize("silent", [False, True])
def test_tls_towards_plain_http_is_named(silent: bool) -> None:
    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.readexactly(4)
        if start[:1] != b"\x16":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        elif silent:
            await asyncio.sleep(3600)

    with serving(version("v1")) as server:  # answers 400, as nginx does
        assert "does not speak TLS: it answers in plain HTTP" in saw(url(server, "https"))
    with raw(waits) as server:
        told = saw(url(server, "https"), timeout=2)
        assert "does not speak TLS: it answers in plain HTTP" in told


def test_neither_tls_nor_http_is_named() -> None:
    with raw(says(b"SSH-2.0-OpenSSH_9.2\r\n")) as server:
        assert "does not speak TLS: it says 'SSH-2.0" in saw(url(server, "https"))
    with raw(says(b"")) as server:
        assert "closes the connection in the TLS handshake" in saw(url(server, "https"))
    with raw(says(b"", 9)) as server:
        assert "does not end the TLS handshake within 0.3 s" in saw(
            url(server, "https"), timeout=0.3
        )


# -- help


def _sixth() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _listening(host: str) -> Iterator[int]:
    """A server on one address alone; its port."""
    listener = socket.create_server(
        (host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET
    )
    text = b"HTTP/1.1 200 OK\r\nX-Orders-Version: v6\r\nContent-Length: 0\r\n\r\n"

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.recv(65536)
                connection.sendall(text)
                connection.close()

    with _served(listener, serve) as port:
        yield port
