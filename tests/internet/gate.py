"""The ways into the simulated internet: a proxy, direct connections, a company's mirror.

Sites are answered here, under certificates of an authority of our own. Every other host, such as
a package registry, is connected through unread, or refused if the gate is sealed.
"""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import socketserver
import ssl
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

import trustme

from tests.internet.web import Handler, Web

MIRROR = "mirror.company.example"
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CONNECT_WAIT = 20.0
_PIECE = 1 << 16


class Authority:
    """Who vouches for the simulated sites."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="A company", organization_unit_name="Simulation")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def context(self, host: str) -> ssl.SSLContext:
        """What a site shows of itself."""
        with self._lock:
            if host not in self._contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._ca.issue_cert(host).configure_cert(context)
                self._contexts[host] = context
            return self._contexts[host]

    def bundle(self, file: Path) -> Path:
        """A file of whom to trust: this machine's authorities, and this one."""
        with file.open("wb") as sink:
            for name in _machines():
                sink.write(name.read_bytes() + b"\n")
            sink.write(self._ca.cert_pem.bytes())
        return file


def _machines() -> list[Path]:
    named = [Path(os.environ[name]) for name in _BUNDLES if os.environ.get(name)]
    default = ssl.get_default_verify_paths().cafile
    named += [Path(default)] if default else []
    named.append(Path("/etc/ssl/certs/ca-certificates.crt"))
    return [file for file in named if file.is_file()][:1]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128
    gate: Gate

    @property
    def web(self) -> Web:
        return self.gate.web

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no fault of ours; what it got is what the test looks at."""


class Gate:
    """Serves while the `with` block lasts.

    Args:
        web: the sites.
        address: where to listen.
        authority: who vouches for the sites.
        sealed: whether hosts that are not simulated are refused.
        direct: whether connections to `address` itself are served, and names resolved to it.
        credentials: `name:password` that the proxy asks for.
    """

    def __init__(
        self,
        web: Web,
        address: str = "127.0.0.1",
        *,
        authority: Authority | None = None,
        sealed: bool = False,
        direct: bool = False,
        credentials: str = "",
    ) -> None:
        self.web, self.address, self.sealed = web, address, sealed
        self.authority = authority or Authority()
        self.credentials = credentials
        self.direct = direct
        self._servers: list[socketserver.BaseServer] = []

    def __enter__(self) -> Self:
        self.proxy = self._listen(_Proxy, 0)
        self.mirror = self._listen(_Mirror, 0)
        if self.direct:
            self._listen(_Direct, 443)
        if not self.address.startswith("127."):
            # Also where no name leads out: without an answer each would cost its full wait.
            self._serve(_Names((self.address, 53), self))
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def _listen(self, handler: Any, port: int) -> str:
        server = _Server((self.address, port), handler)
        server.gate = self
        self._serve(server)
        return f"http://{self.address}:{server.server_address[1]}"

    def _serve(self, server: socketserver.BaseServer) -> None:
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def simulated(self, connection: socket.socket, client: Any, server: Any, host: str) -> None:
        """Be a site on a connection that is to be encrypted."""
        context = self.authority.context(host)
        # Also a client that does not trust us: it closes, and says why to its user.
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(connection, server_side=True) as tls,
        ):
            Handler(tls, client, server, host)

    def through(self, connection: socket.socket, host: str, port: int) -> None:
        """Connect to another host, unread."""
        self.web.tunnelled.add(host)
        with contextlib.suppress(OSError), _reached(host, port) as there:
            back = threading.Thread(target=_pour, args=(there, connection), daemon=True)
            back.start()
            _pour(connection, there)
            back.join()


def _reached(host: str, port: int) -> socket.socket:
    there = socket.create_connection((host, port), _CONNECT_WAIT)
    there.settimeout(None)
    return there


def _pour(source: socket.socket, dest: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            dest.sendall(piece)
    with contextlib.suppress(OSError):
        dest.shutdown(socket.SHUT_WR)


class _Proxy(BaseHTTPRequestHandler):
    """An HTTP proxy, as companies have one."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        """Connect to a host, or be it."""
        gate = self.server.gate
        host, _, port = self.path.rpartition(":")
        self.close_connection = True
        status = self._refused(gate, host)
        self.send_response(status)
        if status != 200:
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
        if status == 407:
            self.send_header("Proxy-Authenticate", 'Basic realm="company"')
        self.end_headers()
        if status != 200:
            return
        if host in gate.web.sites:
            gate.simulated(self.connection, self.client_address, self.server, host)
        else:
            gate.through(self.connection, host, int(port))

    def _refused(self, gate: Gate, host: str) -> int:
        wanted = base64.b64encode(gate.credentials.encode()).decode()
        if gate.credentials and self.headers.get("Proxy-Authorization") != f"Basic {wanted}":
            return 407
        fault = gate.web.fault_of("proxy", host)
        if fault and fault.status:
            return fault.status
        return 403 if gate.sealed and host not in gate.web.sites else 200

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Mirror(Handler):
    """A company's mirror of Docker Hub, unencrypted and for everybody."""

    def __init__(self, request: Any, client_address: Any, server: Any) -> None:
        super().__init__(request, client_address, server, MIRROR)


class _Direct(socketserver.BaseRequestHandler):
    """Whoever a connection without a proxy asks for by its TLS name."""

    request: socket.socket
    server: _Server

    def handle(self) -> None:
        """Find out the name without reading, then be the site or connect to it."""
        gate = self.server.gate
        self.request.settimeout(_CONNECT_WAIT)
        host = ""
        for _ in range(50):
            seen = self.request.recv(1 << 14, socket.MSG_PEEK)
            host = server_name(seen)
            if host or not seen or len(seen) >= _whole(seen):
                break
        if host in gate.web.sites:
            gate.simulated(self.request, self.client_address, self.server, host)
        elif host and not gate.sealed:
            self.request.settimeout(None)
            gate.through(self.request, host, 443)


def _whole(hello: bytes) -> int:
    """How long a TLS record is, with its head."""
    return 5 + int.from_bytes(hello[3:5], "big")


def server_name(hello: bytes) -> str:
    """The name in a TLS client's first message (RFC 8446 4.1.2, RFC 6066 3), or nothing.

    Args:
        hello: its first bytes, perhaps not all.
    """
    if hello[:1] != b"\x16" or len(hello) < _whole(hello):
        return ""
    at = 5 + 4 + 2 + 32
    for width in (1, 2, 1):  # session, cipher suites, compressions
        at += width + int.from_bytes(hello[at : at + width], "big")
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at + 4 <= end:
        kind = int.from_bytes(hello[at : at + 2], "big")
        length = int.from_bytes(hello[at + 2 : at + 4], "big")
        if kind == 0:
            name = int.from_bytes(hello[at + 7 : at + 9], "big")
            return hello[at + 9 : at + 9 + name].decode("ascii", "replace")
        at += 4 + length
    return ""


class _Names(socketserver.UDPServer):
    """Resolves to the gate: every name with a dot, where connections to it are served."""

    allow_reuse_address = True

    def __init__(self, where: tuple[str, int], gate: Gate) -> None:
        self.gate = gate
        super().__init__(where, _Name)


class _Name(socketserver.BaseRequestHandler):
    server: _Names

    def handle(self) -> None:
        """Answer one question (RFC 1035)."""
        question, sender = self.request
        found = resolved(question, self.server.gate)
        if found:
            sender.sendto(found, self.client_address)


def resolved(question: bytes, gate: Gate) -> bytes:
    """The answer to a question about a name."""
    labels, at = [], 12
    while at < len(question) and question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    asked, kind = question[12 : at + 5], question[at + 1 : at + 3]
    host = ".".join(labels).lower()
    served = host in gate.web.sites or not gate.sealed
    known = gate.direct and "." in host and served
    # Recursion desired and available; NXDOMAIN for who is unknown, nothing for other types.
    flags = b"\x81\x80" if known else b"\x81\x83"
    address = socket.inet_aton(gate.address) if known and kind == b"\x00\x01" else b""
    count = b"\x00\x01" if address else b"\x00\x00"
    head = question[:2] + flags + b"\x00\x01" + count + b"\x00\x00\x00\x00"
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + address if address else b""
    return head + asked + record


def proxied(gate: Gate, bundle: Path | None) -> dict[str, str]:
    """The variables by which a shell is told of the proxy and, if it is, of the authority."""
    named = gate.proxy
    if gate.credentials:
        named = named.replace("http://", f"http://{gate.credentials}@")
    env = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), named)
    env |= dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,.localhost")
    return env | (trusting(bundle) if bundle else {})


def trusting(bundle: Path) -> dict[str, str]:
    """The variables by which programs are told whom to trust."""
    names = (*_BUNDLES, "NODE_EXTRA_CA_CERTS", "PIP_CERT", "GIT_SSL_CAINFO")
    return dict.fromkeys(names, str(bundle))
