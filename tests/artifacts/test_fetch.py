"""course.artifacts.fetch: downloads that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import http.server
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from course.artifacts import fetch, first_seen
from course.core.errors import CourseError

CONTENT = b"".join(bytes([i % 251]) * 1000 for i in range(2000))
SHA = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Site:
    """What a server has, what goes wrong there, and what it was asked."""

    content: bytes = CONTENT
    etag: str = '"one"'
    fault: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


def handler(site: Site) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append(dict(self.headers.items()))
            fault, site.fault = site.fault, "" if site.fault in ONCE else site.fault
            if fault.isdigit():
                self._answer(int(fault), b"no", {"Retry-After": "60"})
                return
            if fault == "moved":
                to = site.url.replace("127.0.0.1", "localhost")
                self._answer(302, b"", {"Location": f"{to}/elsewhere"})
                return
            body, status, headers = site.content, 200, {"ETag": site.etag, **site.headers}
            wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
            if wanted and fault != "no ranges" and condition in (None, site.etag):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                    return
                status, total = 206, len(body)
                body = body[start:]
                at = start + 7 if fault == "another place" else start
                headers["Content-Range"] = f"bytes {at}-{total - 1}/{total}"
            self._answer(status, body, headers, cut=fault == "cut", slow=fault == "slow")

        def _answer(
            self, status: int, body: bytes, headers: dict[str, str], cut: bool = False,
            slow: bool = False,
        ) -> None:  # fmt: skip
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if slow:
                for byte in body[:20]:
                    self.wfile.write(bytes([byte]))
                    time.sleep(0.05)
            self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


ONCE = ("cut", "moved", "another place")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no authority of the shell, no offline, and nothing known of any host."""
    for name in ("COURSE_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(fetch, "_unreached", {})
    fetch._session.cache_clear()


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: a client that trusts us not ends the handshake."""


def serve(handler: Any, wrap: Callable[[socket.socket], socket.socket] | None = None) -> Any:
    server = Server(("127.0.0.1", 0), handler)
    if wrap:
        server.socket = wrap(server.socket)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    made = Site()
    server = serve(handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


def cut(site: Site, dest: Path, sha256: str = SHA) -> int:
    """Break a download off in the middle; the bytes that are there then."""
    site.fault = "cut"
    with pytest.raises(CourseError, match="broke off after 1 MB") as caught:
        fetch.download(f"{site.url}/f", dest, sha256=sha256)
    assert "goes on where it stopped" in caught.value.try_
    assert not dest.exists()
    have = dest.with_name("f.part").stat().st_size
    assert 0 < have < len(CONTENT)
    return have


def test_a_file_comes_whole_with_progress(site: Site, tmp_path: Path) -> None:
    told: list[float | None] = []
    dest = fetch.download(
        f"{site.url}/f", tmp_path / "f", sha256=SHA, report=lambda _, f: told.append(f)
    )
    assert dest.read_bytes() == CONTENT
    assert told[-1] == 1.0
    assert list(tmp_path.glob("f*")) == [dest]
    assert site.asked[0]["Accept-Encoding"] == "identity"


def test_an_interrupted_download_goes_on_where_it_stopped(site: Site, tmp_path: Path) -> None:
    have = cut(site, tmp_path / "f")
    fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA)
    assert site.asked[-1]["Range"] == f"bytes={have}-"
    assert site.asked[-1]["If-Range"] == '"one"'
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_file_that_changed_is_not_joined_to_its_old_half(site: Site, tmp_path: Path) -> None:
    cut(site, tmp_path / "f", sha256="")
    site.content, site.etag = CONTENT[::-1], '"two"'
    assert fetch.download(f"{site.url}/f", tmp_path / "f").read_bytes() == CONTENT[::-1]


def test_without_anything_that_names_the_content_it_begins_again(
    site: Site, tmp_path: Path
) -> None:
    site.etag = 'W/"weak"'
    cut(site, tmp_path / "f", sha256="")
    fetch.download(f"{site.url}/f", tmp_path / "f")
    assert "Range" not in site.asked[-1]


@pytest.mark.parametrize("fault", ["no ranges", "another place"])
def test_a_server_that_gives_another_place_is_read_from_the_beginning(
    site: Site, tmp_path: Path, fault: str
) -> None:
    cut(site, tmp_path / "f")
    site.fault = fault
    assert fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA).read_bytes() == CONTENT


def test_a_part_of_another_address_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    cut(site, tmp_path / "f")
    fetch.download(f"{site.url}/another", tmp_path / "f", sha256=SHA)
    assert "Range" not in site.asked[-1]


@pytest.mark.parametrize("whole", [CONTENT, CONTENT + b"more"])
def test_a_part_that_is_whole_already_is_taken_or_fetched_again(
    site: Site, tmp_path: Path, whole: bytes
) -> None:
    (tmp_path / "f.part").write_bytes(whole)
    note = {"url": f"{site.url}/f", "validator": '"one"'}
    (tmp_path / "f.part.json").write_text(json.dumps(note))
    assert fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA).read_bytes() == CONTENT
    assert len(site.asked) == (1 if whole == CONTENT else 2)


def test_another_checksum_is_refused_and_the_part_thrown_away(site: Site, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="sha256"):
        fetch.download(f"{site.url}/f", tmp_path / "f", sha256="0" * 64)
    assert list(tmp_path.glob("f*")) == []


def test_without_a_published_checksum_the_first_sight_is_kept(site: Site, tmp_path: Path) -> None:
    fetch.download(f"{site.url}/f", tmp_path / "f")
    site.content = CONTENT[:-1] + b"x"
    with pytest.raises(CourseError, match="sha256") as caught:
        fetch.download(f"{site.url}/f", tmp_path / "again")
    assert time.strftime("%Y") in caught.value.want
    assert first_seen.first(f"{site.url}/f") == first_seen.Sight(SHA, time.strftime("%Y-%m-%d"))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("404", "is not there"),
        ("403", "is refused"),
        ("429", "too many requests"),
        ("503", "fails at the publisher"),
        ("407", "login at the proxy"),
    ],
)
def test_an_answer_that_is_not_the_file_is_named(
    site: Site, tmp_path: Path, status: str, said: str
) -> None:
    site.fault = status
    with pytest.raises(CourseError, match=f"{said}.*HTTP {status}") as caught:
        fetch.download(f"{site.url}/f", tmp_path / "f")
    assert not isinstance(caught.value, fetch.UnreachableError)
    assert ("in 60 s" in caught.value.try_) == (status in ("429", "503"))


def test_an_answer_of_another_host_that_is_pointed_to_is_taken(site: Site, tmp_path: Path) -> None:
    site.fault = "moved"
    fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA)
    assert site.asked[-1]["Host"].startswith("localhost")


def test_a_login_page_in_the_files_place_is_named(site: Site, tmp_path: Path) -> None:
    site.headers = {"Content-Type": "text/html; charset=utf-8"}
    for ask in (fetch.text, lambda url: fetch.download(url, tmp_path / "f")):
        with pytest.raises(CourseError, match="a web page of 127") as caught:
            ask(f"{site.url}/f")
        assert "browser" in caught.value.try_


def test_a_body_that_was_packed_on_the_way_is_unpacked(site: Site, tmp_path: Path) -> None:
    site.content, site.headers = gzip.compress(CONTENT), {"Content-Encoding": "gzip"}
    assert fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA).read_bytes() == CONTENT


def test_an_archive_that_is_called_packed_stays_as_it_is(site: Site, tmp_path: Path) -> None:
    site.content, site.headers = gzip.compress(CONTENT), {"Content-Encoding": "gzip"}
    sha256 = hashlib.sha256(site.content).hexdigest()
    fetch.download(f"{site.url}/f", tmp_path / "f.tgz", sha256=sha256)


def test_a_transfer_that_hardly_moves_ends(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_SLOWEST", (64_000, 0.3))
    site.fault = "slow"
    with pytest.raises(CourseError, match=r"broke off .* bytes in 0 s"):
        fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA)


def test_a_full_disk_is_named_and_what_is_there_stays(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    have = cut(site, tmp_path / "f")
    with monkeypatch.context() as patch:
        patch.setattr(fetch, "_note", full)
        with pytest.raises(CourseError, match=r"the disk is full .*f\.part"):
            fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA)
    assert (tmp_path / "f.part").stat().st_size == have


def test_two_processes_do_not_write_one_part(site: Site, tmp_path: Path) -> None:
    both = [
        threading.Thread(target=fetch.download, args=(f"{site.url}/f", tmp_path / "f"))
        for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(20)
    assert (tmp_path / "f").read_bytes() == CONTENT


# -- the way there


def test_offline_is_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    with pytest.raises(fetch.UnreachableError, match="COURSE_OFFLINE"):
        fetch.download("https://example.invalid/f", tmp_path / "f")


def test_a_name_that_is_not_known_is_asked_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def unknown(*args: object, **_: object) -> None:
        asked.append(args)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    for _ in range(3):
        with pytest.raises(fetch.UnreachableError, match="Name or service not known"):
            fetch.text("https://example.invalid/f")
    assert len(asked) == 1


def test_a_network_that_swallows_everything_costs_its_deadline_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch, "_FIRST_WAIT", (0.4, 0.1))
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: time.sleep(3))
    began = time.monotonic()
    for name in ("a", "a", "b", "c"):
        with pytest.raises(fetch.UnreachableError, match="no answer within"):
            fetch.text(f"https://{name}.invalid/f")
    assert time.monotonic() - began < 1.5


class Proxy(http.server.BaseHTTPRequestHandler):
    """A proxy that answers a CONNECT with a status, or an ordinary request with the file."""

    status = 407
    hosts: list[str] = []  # noqa: RUF012 - the handler is made by the server

    def do_CONNECT(self) -> None:
        self.hosts.append(self.path)
        self.send_response(self.status)
        self.end_headers()

    def do_GET(self) -> None:
        self.hosts.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy() -> Iterator[str]:
    Proxy.hosts.clear()
    server = serve(Proxy)
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_proxy_of_the_shell_is_asked(
    proxy: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://{proxy}")
    fetch.download("http://releases.invalid/f", tmp_path / "f", sha256=SHA)
    assert Proxy.hosts == ["http://releases.invalid/f"]


def test_what_no_proxy_leaves_out_is_asked_directly(
    site: Site, proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA)
    assert Proxy.hosts == []


def test_a_proxy_that_wants_a_login_is_named_without_the_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://jane:geheim@{proxy}")
    with pytest.raises(CourseError, match=f"the proxy {proxy} wants a user name") as caught:
        fetch.text("https://releases.invalid/f")
    assert not isinstance(caught.value, fetch.UnreachableError)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("status", [403, 502])
def test_a_host_that_the_proxy_does_not_let_through_is_out_of_reach(
    proxy: str, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(Proxy, "status", status)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
    with pytest.raises(fetch.UnreachableError, match=f"{status}.*through the proxy {proxy}"):
        fetch.text("https://releases.invalid/f")


@pytest.mark.parametrize("value", ["http://127.0.0.1:1", "socks5h://127.0.0.1:1"])
def test_a_proxy_that_is_not_there_is_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(fetch.UnreachableError, match=r"refused.*through the proxy 127\.0\.0\.1:1"):
        fetch.text("https://releases.invalid/f")


def test_a_proxy_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.invalid:80")
    with pytest.raises(CourseError, match="the address of the proxy cannot be used"):
        fetch.text("https://releases.invalid/f")


@pytest.fixture
def secure(site: Site, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The same site by TLS, with an authority of its own; its address and the authority's file."""
    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    server = serve(handler(site), lambda plain: context.wrap_socket(plain, server_side=True))
    yield f"https://localhost:{server.server_port}", file
    server.shutdown()
    server.server_close()


def test_an_authority_that_is_missing_is_named(secure: tuple[str, Path]) -> None:
    with pytest.raises(CourseError, match="not trusted") as caught:
        fetch.text(f"{secure[0]}/f")
    assert not isinstance(caught.value, fetch.UnreachableError)
    assert "SSL_CERT_FILE" in caught.value.try_


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_authority_that_the_shell_names_is_trusted(
    secure: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, str(secure[1]))
    assert fetch.download(f"{secure[0]}/f", tmp_path / "f", sha256=SHA).exists()


def test_a_file_of_authorities_that_is_not_there_is_named(
    secure: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "gone.pem"))
    with pytest.raises(CourseError, match=r"gone\.pem") as caught:
        fetch.text(f"{secure[0]}/f")
    assert "REQUESTS_CA_BUNDLE" in caught.value.try_


def answering(raw: bytes, *, drip: float = 0.0) -> str:
    """The URL of a server that says these bytes, each time; with a pause after each of the body."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve_all() -> None:
        for _ in range(4):
            caller, _ = listening.accept()
            with caller, contextlib.suppress(OSError):
                caller.recv(1 << 16)
                head, _, body = raw.partition(b"\r\n\r\n")
                caller.sendall(head + b"\r\n\r\n")
                for at in range(len(body) if drip else 0):
                    caller.sendall(body[at : at + 1])
                    time.sleep(drip)
                caller.sendall(b"" if drip else body)

    threading.Thread(target=serve_all, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/f"


@pytest.mark.parametrize(
    "said", ["Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5, 5", "Content-Length: x"]
)
def test_a_length_that_is_said_twice_or_is_none_is_no_fault_of_the_course(
    home: Path, tmp_path: Path, said: str
) -> None:
    url = answering(f"HTTP/1.1 200 OK\r\n{said}\r\n\r\nhello".encode())
    sha256 = hashlib.sha256(b"hello").hexdigest()
    assert fetch.download(url, tmp_path / "f", sha256=sha256).read_bytes() == b"hello"


def test_a_part_that_nobody_asked_for_is_named(home: Path, tmp_path: Path) -> None:
    url = answering(b"HTTP/1.1 206 Partial\r\nContent-Length: 5\r\n\r\nhello")
    with pytest.raises(CourseError, match="answers with a part of the file"):
        fetch.download(url, tmp_path / "f", sha256=SHA)


def test_an_empty_answer_is_not_kept_as_what_was_seen_first(home: Path, tmp_path: Path) -> None:
    url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(CourseError, match="empty file"):
        fetch.download(url, tmp_path / "f")
    assert first_seen.first(url) is None and not (tmp_path / "f").exists()


def test_a_checksum_file_that_hardly_moves_or_never_ends_is_left(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_SLOWEST", (64_000, 0.2))
    began = time.monotonic()
    with pytest.raises(CourseError, match="broke off"):
        fetch.text(answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 100, drip=0.05))
    assert time.monotonic() - began < 3
    with pytest.raises(CourseError, match="more than"):
        fetch.text(answering(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * (1 << 20)))


@pytest.mark.parametrize(
    ("at", "to"),
    [
        ("https://a.example/f", "http://a.example/f"),
        ("https://a.example/f", "file:///etc/passwd"),
        ("http://a.example/f", "ftp://a.example/f"),
    ],
)
def test_a_server_that_points_to_less_than_https_is_not_followed(at: str, to: str) -> None:
    answer = requests.Response()
    answer.status_code, answer.url, answer.headers["Location"] = 302, at, to
    with pytest.raises(ValueError, match="points to"):
        fetch._session().get_redirect_target(answer)
    answer.headers["Location"] = "/elsewhere"
    assert fetch._session().get_redirect_target(answer) == "/elsewhere"


def test_a_server_that_points_elsewhere_is_named_and_not_the_proxy(
    home: Path, tmp_path: Path
) -> None:
    url = answering(b"HTTP/1.1 302 F\r\nLocation: ftp://x/y\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(CourseError, match="points to ftp") as caught:
        fetch.download(url, tmp_path / "f")
    assert "proxy" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy",
    ["http://u:geheim@h:abc", "http://u:pa/geheim@h:1", "http://u:geh#eim@h:1", "http://[::1"],
)
def test_a_proxy_that_cannot_be_read_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(CourseError, match="address of the proxy") as caught:
        fetch.text("http://x.invalid/f")
    assert not [word for word in ("u:", "geh", "eim", "pa/") if word in caught.value.saw]


@pytest.mark.parametrize(
    ("status", "saw"), [(511, "behind a page to log in"), (408, "fails at the publisher")]
)
def test_a_network_that_wants_a_login_is_not_the_publishers_fault(
    site: Site, tmp_path: Path, status: int, saw: str
) -> None:
    site.fault = str(status)
    with pytest.raises(CourseError, match=saw):
        fetch.download(f"{site.url}/f", tmp_path / "f", sha256=SHA)
