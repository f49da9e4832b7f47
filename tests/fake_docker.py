"""A Docker that answers what a test wants, at a real socket, to the real client."""

from __future__ import annotations

import json
import re
import shutil
import socketserver
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

VERSION = {"Version": "29.8.1", "ApiVersion": "1.47", "MinAPIVersion": "1.24"}
INFO = {"ServerVersion": "29.8.1", "MemTotal": 16_000_000_000, "OperatingSystem": "Debian"}


class FakeDocker:
    """Answers at `host` while the `with` block lasts.

    Args:
        answers: path, without its version and query → what is answered: JSON, or bytes.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "/_ping": b"OK",
            "/version": VERSION,
            "/info": INFO,
            "/containers/json": [],
            "/networks": [],
            "/volumes": {"Volumes": None},
            "/images/json": [],
        }
        self.answers |= answers
        self.removed: list[str] = []
        # Not pytest's folder: the address of a socket is at most 107 bytes long.
        self._folder = Path(tempfile.mkdtemp(prefix="docker-"))
        self.host = f"unix://{self._folder}/docker.sock"

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                path = re.sub(r"^/v\d+\.\d+", "", urlsplit(self.path).path)
                if self.command == "DELETE":
                    fake.removed.append(path)
                found = fake.answers.get(path)
                if found is None:
                    self.send_response(404)
                    self.end_headers()
                    self.wfile.write(b'{"message": "No such image: x"}')
                    return
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the base class's names

            def address_string(self) -> str:
                return "socket"

            def log_message(self, format: str, *args: object) -> None:
                """Nothing."""

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self._server = Server(self.host.removeprefix("unix://"), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._folder)
