"""course.fetch: downloads that are whole or not there."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from course import fetch
from course.errors import CourseError

CONTENT = b"".join(bytes([i % 251]) * 1000 for i in range(2000))
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    served: list[str | None] = []  # noqa: RUF012 - the handler is made by the server
    content = CONTENT

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        type(self).served.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if self.path == "/missing":
            self.send_error(404)
            return
        if start >= len(self.content):
            self.send_error(416)
            return
        body = self.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path == "/broken" and not wanted:
            self.wfile.write(body[: len(body) // 2])
            self.connection.close()
            return
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    Server.served, Server.content = [], CONTENT
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_file_comes_whole_with_progress(url: str, tmp_path: Path) -> None:
    seen: list[float | None] = []
    dest = fetch.download(
        f"{url}/f", tmp_path / "f", sha256=SHA, report=lambda _, f: seen.append(f)
    )
    assert dest.read_bytes() == CONTENT
    assert seen[-1] == 1.0
    assert not (tmp_path / "f.part").exists()


def test_an_interrupted_download_goes_on_where_it_stopped(url: str, tmp_path: Path) -> None:
    with pytest.raises(CourseError):
        fetch.download(f"{url}/broken", tmp_path / "f", sha256=SHA)
    assert not (tmp_path / "f").exists()
    have = (tmp_path / "f.part").stat().st_size
    assert 0 < have < len(CONTENT)
    fetch.download(f"{url}/broken", tmp_path / "f", sha256=SHA)
    assert Server.served[-1] == f"bytes={have}-"
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken(url: str, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT)
    assert fetch.download(f"{url}/f", tmp_path / "f", sha256=SHA).read_bytes() == CONTENT


def test_another_checksum_is_refused_and_the_part_thrown_away(url: str, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="sha256"):
        fetch.download(f"{url}/f", tmp_path / "f", sha256="0" * 64)
    assert list(tmp_path.glob("f*")) == []


def test_without_a_published_checksum_the_first_sight_is_kept(url: str, tmp_path: Path) -> None:
    fetch.download(f"{url}/f", tmp_path / "f")
    Server.content = CONTENT[:-1] + b"x"
    with pytest.raises(CourseError, match="sha256"):
        fetch.download(f"{url}/f", tmp_path / "again")


def test_a_missing_file_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="HTTP 404"):
        fetch.download(f"{url}/missing", tmp_path / "f")


def test_offline_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_OFFLINE", "1")
    fetch.reachable.cache_clear()
    assert fetch.reachable("example.org") is False
    fetch.reachable.cache_clear()
