"""Sites by their names: what is asked of them, what they answer, and what goes wrong on the way."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_CHUNK = 1 << 18


@dataclass(frozen=True)
class Request:
    """One request, as a site sees it."""

    method: str
    host: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    """Names in small letters."""

    @property
    def range(self) -> int:
        """The first byte that is asked for."""
        wanted = self.headers.get("range", "")
        return int(wanted.removeprefix("bytes=").split("-")[0] or 0) if wanted else 0


@dataclass(frozen=True)
class Answer:
    """What a site answers: text, or a file, from which a client may also ask for a part."""

    status: int = 200
    body: bytes | Path = b""
    headers: dict[str, str] = field(default_factory=dict)

    def size(self) -> int:
        """The bytes of the whole body."""
        return self.body.stat().st_size if isinstance(self.body, Path) else len(self.body)

    def tag(self) -> str:
        """What names this very content, as servers do it (RFC 9110 8.8.3)."""
        if isinstance(self.body, bytes):
            return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'
        seen = self.body.stat()
        return f'"{seen.st_mtime_ns:x}-{seen.st_size:x}"'

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """The body from a byte on."""
        if isinstance(self.body, bytes):
            yield self.body[start:]
            return
        with self.body.open("rb") as file:
            file.seek(start)
            while chunk := file.read(_CHUNK):
                yield chunk


Site = Callable[[Request], Answer]


def moved(url: str) -> Answer:
    """A redirect."""
    return Answer(302, b"", {"Location": url})


@dataclass
class Fault:
    """Something that goes wrong with some requests.

    Args:
        host: whose, as a pattern; `proxy` for what the proxy itself answers to CONNECT.
        path: of what, as a pattern.
        status: this answer instead of the right one.
        body: the body of that answer, or another one under the right status.
        cut: the connection is closed after so many bytes of the body.
        whole: a part is asked for, and the whole is answered with 200.
        pause: seconds before each chunk of a body.
        times: so many requests, then it is over.
    """

    host: str
    path: str = "*"
    status: int = 0
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    whole: bool = False
    pause: float = 0.0
    times: int = 1 << 30

    def takes(self, host: str, path: str) -> bool:
        """Whether a request is one of those; it is then counted."""
        mine = fnmatch.fnmatchcase(host, self.host) and fnmatch.fnmatchcase(path, self.path)
        if not mine or self.times <= 0:
            return False
        self.times -= 1
        return True


@dataclass
class Web:
    """All sites, what goes wrong with them, and what was asked."""

    sites: dict[str, Site] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    tunnelled: set[str] = field(default_factory=set)
    """Other hosts that were asked for through us, e.g. package registries."""

    @contextlib.contextmanager
    def fault(self, host: str, path: str = "*", **what: Any) -> Iterator[Fault]:
        """Something goes wrong while the block lasts; see `Fault`."""
        fault = Fault(host, path, **what)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    def fault_of(self, host: str, path: str) -> Fault | None:
        """What goes wrong with a request, if anything does."""
        return next((f for f in list(self.faults) if f.takes(host, path)), None)

    def urls(self, host: str = "*") -> list[str]:
        """What was asked of a host, in order."""
        return [f"{r.host}{r.path}" for r in self.asked if fnmatch.fnmatchcase(r.host, host)]

    def answer(self, request: Request) -> Answer:
        """What a site answers when nothing goes wrong."""
        site = self.sites.get(request.host)
        return site(request) if site else Answer(404, b"no such site")


class Handler(BaseHTTPRequestHandler):
    """Serves one connection to one site or, without encryption, to whichever is named.

    Args:
        request: the socket.
        client_address: whose.
        server: anything that has `web: Web`.
        host: the site; empty to take it from each request.
    """

    protocol_version = "HTTP/1.1"
    timeout = 60
    wbufsize = 1 << 16

    def __init__(self, request: Any, client_address: Any, server: Any, host: str = "") -> None:
        self._host = host
        self.web: Web = server.web
        super().__init__(request, client_address, server)

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        host = self._host or self.headers.get("Host", "").split(":")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, host, parts.path, parts.query, headers)
        self.web.asked.append(request)
        fault = self.web.fault_of(host, parts.path)
        answer = self.web.answer(request)
        if fault and fault.status:
            answer = Answer(fault.status, fault.body or b"", fault.headers)
        elif fault and fault.body is not None:
            answer = Answer(answer.status, fault.body, answer.headers)
        self._send(request, answer, fault)

    def _send(self, request: Request, answer: Answer, fault: Fault | None) -> None:
        size, start, status = answer.size(), 0, answer.status
        headers = {"Accept-Ranges": "bytes", "ETag": answer.tag(), **answer.headers}
        same = request.headers.get("if-range", answer.tag()) == answer.tag()
        if status == 200 and "range" in request.headers and same and not (fault and fault.whole):
            start = request.range
            status = 206 if start < size else 416
            given = f"{start}-{size - 1}" if start < size else "*"
            headers["Content-Range"] = f"bytes {given}/{size}"
            start = min(start, size)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        if request.method != "HEAD" and status != 416:
            self._body(answer, start, fault)

    def _body(self, answer: Answer, start: int, fault: Fault | None) -> None:
        left = None if fault is None else fault.cut
        for chunk in answer.chunks(start):
            if fault and fault.pause:
                time.sleep(fault.pause)
            if left is not None and len(chunk) > left:
                self.wfile.write(chunk[:left])
                self.wfile.flush()
                self.close_connection = True
                return
            self.wfile.write(chunk)
            left = None if left is None else left - len(chunk)

    do_GET = do_HEAD = _serve  # noqa: N815 - the base class's names

    def log_message(self, *_: object) -> None:
        """Say nothing: `Web.asked` has it."""
