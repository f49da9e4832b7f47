"""The observation of users-and-health-2, of a report that Node runs on this machine."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from course.exercises.kit import exercise
from course.exercises.kit.facts import judge
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong
from tests.exercises.local import NODE, Local
from tests.exercises.simulated import Here


class Program(Local):
    """A process that is stopped as Docker stops a container."""

    def stop(self, timeout: int) -> None:
        assert self.process
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.wait()

    @property
    def attrs(self) -> dict[str, Any]:
        found = super().attrs
        code = found["State"]["ExitCode"]
        found["State"]["ExitCode"] = 128 - code if code < 0 else code
        return found


CLOSES = "server.close(() => process.exit(0));"
HANDLER = f'process.on("SIGTERM", () => {{ {CLOSES} }});'
IDLE = "setInterval(() => server.closeIdleConnections(), 100);"
UNASKED = """
const unasked = new Set();
server.on("connection", (socket) => unasked.add(socket));
server.on("request", ({ socket }) => unasked.delete(socket));
"""
DESTROYS = "for (const socket of unasked) socket.destroy();"
RIGHT = UNASKED + HANDLER.replace(CLOSES, CLOSES + IDLE + DESTROYS)
FIRST = """
let stops = false;
process.on("SIGTERM", () => (stops = true));
server.on("request", (_, response) => response.on("close", () => stops && process.exit(0)));
"""
LIMIT = HANDLER.replace(CLOSES, CLOSES + IDLE + "setTimeout(() => process.exit(0), 1500);")
WAITS = 'process.on("SIGTERM", () => setTimeout(() => process.exit(0), 1300));'
HURRY = """
const hurry = new AbortController();
process.on("SIGTERM", () => hurry.abort());
"""


@pytest.fixture
def report(home: Path) -> Iterator[Callable[..., str]]:
    """Judge report.mjs with more lines: the cause, or an empty string."""
    started: list[Program] = []

    def judged(more: str, work: str = "sleep(1000)") -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        code = exercise.find("users-and-health-2")

        def make(closed: str, **_: object) -> Served:
            text = (lab.folder() / "report.mjs").read_text() + more
            text = text.replace("listen(3000", f"listen({port}").replace("sleep(1000)", work)
            lab.write("report.mjs", text)
            made = Program(
                [[str(NODE), "report.mjs"]] * 2, lab.folder(), {"REPORT_CURRENCY": "CHF"}
            )
            made.networks = [closed]
            made.start()
            started.append(made)
            return Served(made, port, closed)

        lab = Here("users-and-health-2", make)
        shutil.copytree(code.files, lab.folder())
        try:
            judge(lab, code._code.observe(lab))
        except Wrong as wrong:
            return str(wrong)
        assert lab.notes
        return ""

    yield judged
    for made in started:
        made.stop(0)


def test_a_report_that_ends_in_good_order_is_right_at_both_starts(report: Any) -> None:
    assert report(RIGHT) == ""


def test_a_report_with_a_limit_for_whoever_is_left_is_right(report: Any) -> None:
    assert report(LIMIT) == ""


@pytest.mark.parametrize(
    ("more", "work", "cause"),
    [
        (HANDLER, "sleep(1000)", "connection-kept"),
        (RIGHT.replace(DESTROYS, ""), "sleep(1000)", "silent-client"),
        (FIRST, "sleep(1000)", "request-cut"),
        (WAITS, "sleep(1000)", "later-cut"),
        (
            HURRY + RIGHT,
            "sleep(1000, 0, { signal: hurry.signal }).catch(() => {})",
            "report-hurried",
        ),
        (RIGHT.replace(CLOSES, "process.exit(0);"), "sleep(1000)", "request-cut"),
        (RIGHT, "0", "not-in-flight"),
    ],
)
def test_a_report_that_does_not_end_so_is_wrong(
    report: Any, more: str, work: str, cause: str
) -> None:
    assert report(more, work).startswith(f"{cause}: ")
