"""Machines with a fault, and what the doctor finds on them."""

from __future__ import annotations

import contextlib
import email.utils
import http.server
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core.process import FakeRunner
from course.engine import doctor
from course.engine.doctor import Machine
from tests.fake_docker import FakeDocker


def on(fake: FakeDocker, monkeypatch: pytest.MonkeyPatch, **script: object) -> Machine:
    """A machine whose Docker is this one."""
    monkeypatch.setenv("DOCKER_HOST", fake.host)
    return Machine(FakeRunner(script))  # type: ignore[arg-type]


def only(findings: list[doctor.Finding]) -> doctor.Finding:
    assert len(findings) == 1, findings
    return findings[0]


def bad(findings: list[doctor.Finding]) -> doctor.Finding:
    found = only([f for f in findings if f.ok is False])
    assert found.try_, "a fault comes with the one thing to do"
    assert str(found).startswith("✗") and "\n  try:  " in str(found)
    return found


# -- hardware


def kernel(root: Path, files: dict[str, str]) -> Machine:
    """A machine whose kernel says this."""
    (root / "proc").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return Machine(FakeRunner(), root)


def alone(code: str, *how: str, env: dict[str, str] | None = None) -> str:
    """What a Python prints in namespaces of its own."""
    argv = ["unshare", *how, "sh", "-ec", code, sys.executable]
    if subprocess.run(["unshare", *how, "true"], check=False, capture_output=True).returncode:
        pytest.skip(f"needs unshare {' '.join(how)}")
    done = subprocess.run(
        argv,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **(env or {})},
    )
    return done.stdout.strip()


# -- network


@contextlib.contextmanager
def server(answer: str = "no", date: float | None = None) -> Iterator[str]:
    """A server that answers everything so, and its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(403)
            self.end_headers()
            self.wfile.write(answer.encode())

        do_HEAD = do_GET  # noqa: N815 - the base class's names

        def date_time_string(self, timestamp: float | None = None) -> str:
            return email.utils.formatdate(date or time.time(), usegmt=True)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}"
    finally:
        made.shutdown()
        made.server_close()
