"""The observation of users-and-health-1, of a shelf in memory."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises import user_rights
from course.exercises.kit.facts import judge
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.verdict import Wrong
from course.measure.container import Process
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
        judge(lab, user_rights.ShelfWritesOnlyItsShelf().observe(lab))
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
    assert user_rights._program(served, running) == owned
