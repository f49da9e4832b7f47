"""The observations of users-and-health-1 and -2: a shelf in memory, a report that Node runs."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises import users_and_health
from course.exercises.kit import exercise
from course.exercises.kit.facts import judge
from course.exercises.kit.reply import Ended, Heard, Reply, Running
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong
from course.measure.container import Process
from tests.exercises.local import NODE, Local
from tests.exercises.simulated import Here

USER = Process(70, 1, 1000, 1000, "node shelf.mjs", first=True)
ROOT = replace(USER, uid=0, gid=0)
SHELF = "/var/lib/shelf/"


@dataclass
class Shelf:
    """A container of the shelf: its processes at each start, and files with owner and mode."""

    starts: list[Process]
    keeps: bool = True
    empties: bool = False
    kept_by: int = -1  # who owns what was kept
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    def restart(self, _: str) -> None:
        self.starts.pop(0)
        self.files = {} if self.empties else self.files

    def processes(self) -> list[Process]:
        return self.starts[:1]

    def folder(self) -> str:
        return "/app"

    def stat(self, path: str) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(path)
        entry.mode = 0o644
        return entry

    def put(self, path: str, content: bytes, *, mode: int) -> None:
        self.files[path] = content, mode

    def read(self, path: str) -> bytes | None:
        return self.files.get(path, (None, 0))[0]

    def hear(self, path: str, method: str = "GET", body: bytes = b"") -> Heard:
        if not self.starts:
            return Ended(1, "Error: no program")
        name = path.removeprefix("/files/").replace("..%2F..%2F..%2F", "/").replace("%2F", "/")
        name = name if name.startswith("/") else SHELF + name
        if method == "GET":
            found = self.read(name)
            return Reply(404, "ENOENT") if found is None else Reply(200, found.decode())
        service, mode = self.starts[0], self.files.get(name, (b"", 0o666))[1]
        mine = name.startswith(SHELF) and self.kept_by in (-1, service.uid)
        group = 0 in service.gids and mode & 0o020
        if not (mine or 0 in service.uids or (group and not name.startswith(SHELF))):
            return Reply(500, f"EACCES: permission denied, open '{name}'\n")
        if name.startswith(SHELF):
            self.kept_by = service.uid
        if self.keeps:
            self.files[name] = body, mode
        return Reply(201, "kept\n")


def shelved(*starts: Process, later: Process | None = None, **more: Any) -> str:
    """The cause that users-and-health-1 names, and its words; empty if the answer is right."""

    made: list[Shelf] = []

    def make(volumes: list[str], **_: object) -> Shelf:
        assert volumes == ["a volume:/var/lib/shelf", "a volume:/probe"]
        shelf = Shelf(list(starts), **more)
        if made:  # on the volume that the first one filled
            shelf.starts = [later or starts[-1]]
            shelf.files, shelf.kept_by = made[0].files, made[0].kept_by
        made.append(shelf)
        return shelf

    lab = Here("users-and-health-1", make)
    try:
        judge(lab, users_and_health.ShelfWritesOnlyItsShelf().observe(lab))
    except Wrong as wrong:
        return str(wrong)
    assert lab.notes[0].startswith("it runs as uid 1000; the hole gave status 500: EACCES")
    return ""


def test_a_user_of_its_own_is_right() -> None:
    assert shelved(USER, USER) == ""


@pytest.mark.parametrize(
    ("starts", "more", "said"),
    [
        ([ROOT], {}, r"root-changes-mount: `PUT /files/\S+` changed root's own file \(mode 600\)"),
        ([USER, ROOT], {}, "root-changes-mount: at its second start, "),
        ([replace(USER, more_gids=frozenset({0}))], {}, "in-roots-group: "),
        ([USER, replace(USER, uid=1001)], {}, "cannot-write: at its second start, as uid 1001"),
        ([USER], {"keeps": False}, "not-kept: "),
        (
            [USER, USER],
            {"later": replace(USER, uid=1001)},
            "cannot-write: in a later container on the same volume, as uid 1001",
        ),
        (
            [USER, USER],
            {"empties": True},
            r"file-lost: at its second start, GET /files/\S+, which was put before, answers 404",
        ),
        ([], {}, "crashes: "),
    ],
)
def test_each_start_is_asked_what_its_user_may_do(
    starts: list[Process], more: dict[str, Any], said: str
) -> None:
    assert re.match(said, shelved(*starts, **more))


@pytest.mark.parametrize(
    ("command", "owner", "groups", "owned"),
    [
        ("node shelf.mjs", 1000, (), "/app/shelf.mjs"),
        ("node .", 1000, (), "/app"),
        ("npm start", 1000, (), "/app"),
        ("node .", 0, (), ""),
        ("node .", 27, (), ""),
        ("node .", 27, (27,), "/app"),
    ],
)
def test_who_may_change_a_program_is_seen_by_its_folder_and_groups_too(
    command: str, owner: int, groups: tuple[int, ...], owned: str
) -> None:
    def stat(path: str) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(path)
        entry.uid = entry.gid = owner
        entry.mode = 0o775 if owner == 27 else 0o755
        return entry

    served: Any = SimpleNamespace(folder=lambda: "/app", stat=stat)
    running = (replace(USER, command=command, more_gids=frozenset(groups)),)
    assert users_and_health._program(served, running) == owned


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


def test_a_container_that_runs_and_does_not_answer_is_running() -> None:
    made: Any = SimpleNamespace(reload=lambda: None, attrs={"State": {"Running": True}})
    assert Served(made, 3000).condition() == Running()
