"""users-and-health-1: which user a service runs as, whose its files are, and what it may change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from posixpath import dirname, join, normpath
from tarfile import TarInfo
from typing import Any

from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import WRONG_ANSWER, Wrong
from course.measure.container import Process

_PORT = 3000
_ROOT = 0
_SHELF = "/var/lib/shelf"
_STICKY = 0o1000
_UP = "..%2F..%2F..%2Fprobe%2F"
_WHOSE = f"docker run --rm shelf:lab ls -ldn {_SHELF}   whose is it?"
_PARENTS = "docker top CONTAINER -eo pid,ppid,uid,args   "
_RESET = "course reset users-and-health-1   gives shelf.mjs back, and saves what you have"
_LATER_ONE = "in a later container on the same volume"
_USER = "docker top CONTAINER -eo pid,uid,gid,supgid,args   and which instruction sets the user?"


@dataclass(frozen=True)
class Kept(Facts):
    """What became of a file that was put on the shelf."""

    name: str
    text: str
    uid: int  # of the service
    before: str  # what was put under that name before; empty if nothing was
    had: Heard  # the answer for that name, before this one is put
    put: Heard
    got: Heard
    found: str  # what the file in the shelf's folder holds; empty if there is none
    other: Heard  # the answer for a name that nobody has put

    def wrong(self) -> Wrong | None:
        put, request = self.put, f"PUT /files/{self.name}"
        if not isinstance(put, Reply):
            return no_reply(put, "shelf:lab", _PORT, "the service of shelf.mjs")
        if put.status >= 400:
            saw = f"as uid {self.uid}, `{request}` answers {put.status}: {put.body.strip()}"
            return Wrong("cannot-write", saw=saw, want=f"the file kept in {_SHELF}", try_=_WHOSE)
        if self.before and self.had.body != self.before:
            saw = f"GET {request[4:]}, which was put before, answers {self.had.status}: "
            saw += self.had.body.strip()[:60]
            want = "what is put is kept, in the folder that is mounted in production"
            try_ = f"docker exec CONTAINER ls -lan {_SHELF}   is it there, and whose is it?"
            return Wrong("file-lost", saw=saw, want=want, try_=try_)
        if not self.found == self.got.body == self.text:
            where = "holds something else" if self.found else "is not there"
            saw = f"{request} was answered as a success, but {_SHELF}/{self.name} {where} "
            saw += f"(GET answers {self.got.status})"
            want = "what is put is kept, in the folder that is mounted in production"
            try_ = f"docker exec CONTAINER ls -la {_SHELF}"
            return Wrong("not-kept", saw=saw, want=want, try_=try_)
        if self.other.status != 404:
            saw = f"GET of a file that nobody has put answers {self.other.status}"
            want = "404, as shelf.mjs answers"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=_RESET)
        return None


@dataclass(frozen=True)
class Rights(Facts):
    """Which user shelf:lab runs as, and what that user may change."""

    processes: tuple[Process, ...]
    hole: Heard  # what its own hole answers
    changed: str  # the file of root's that was changed through it; empty if it could not be
    mode: int  # of that file
    program: str  # its program or a folder above, if it may change that; else empty
    still: str

    def wrong(self) -> Wrong | None:
        roots = [process for process in self.processes if _ROOT in process.uids]
        if self.changed and (roots or not self._shares()):
            saw = f"`PUT /files/{_UP}{self.changed}` changed root's own file (mode {self.mode:o}) "
            saw += f"in a mounted folder; the process is uid {self.uid}{self.still}"
            want = "a service whose user may not do that, whatever name it is given"
            return Wrong("root-changes-mount", saw=saw, want=want, try_=_USER)
        if roots:
            want = "no process of root's in the container"
            saw = f"`{roots[0].command[:60]}` runs as uid {roots[0].uid}"
            saw += "" if roots[0].uid == _ROOT else " and may return to uid 0"
            if len(roots) < len(self.processes):
                try_ = f"who starts the service, and stays?   {_PARENTS}"
                saw += "; the rest do not"
                return Wrong("root-in-front", saw=saw + self.still, want=want, try_=try_)
            try_ = "a hole that is closed is one; what are the next one's rights?"
            return Wrong("still-root", saw=saw + self.still, want=want, try_=try_)
        if self._shares():
            saw = f"the process is uid {self.uid} and in group 0: what root's group may change, it "
            want = "a user that shares no right with root"
            return Wrong("in-roots-group", saw=f"{saw}may change", want=want, try_=_USER)
        if self.program:
            saw = f"the process is uid {self.uid}, and may change {self.program}: an attacker can "
            saw += "put a program in the place of this one"
            want = f"it may write in {_SHELF}, and neither change nor replace what it runs"
            try_ = f"docker run --rm shelf:lab ls -ld {self.program}   whose is it?"
            return Wrong("owns-its-program", saw=saw, want=want, try_=try_)
        return None

    def _shares(self) -> bool:
        return any(_ROOT in process.gids for process in self.processes)

    @property
    def uid(self) -> int:
        return min((process.uid for process in self.processes), default=-1)

    def notes(self) -> Iterator[str]:
        said = f"{self.hole.status}: {self.hole.body.strip()[:90]}"
        yield f"it runs as uid {self.uid}; the hole gave status {said}"


@exercise("users-and-health-1", image="shelf:lab", start_cause="root-changes-mount")
class ShelfWritesOnlyItsShelf:
    """A service that writes: a user of its own, and the one folder that this user owns."""

    def observe(self, lab: Lab) -> Observation:
        """Let it keep files, then try by its own hole to change files of root's in a mount."""
        still, kept = lab.still("shelf:lab"), list[str]()
        keeps = partial(_keeps, f"{lab.draw.word()}.txt", kept)
        with lab.observe("two starts of shelf:lab"), lab.volume() as own, lab.volume() as roots:
            volumed: dict[str, Any] = {"volumes": [f"{own}:{_SHELF}", f"{roots}:/probe"]}
            with lab.starts("shelf:lab", _PORT, keeps, **volumed) as starts:
                for served in starts:
                    running = tuple(served.processes())
                    program = _program(served, running)
                    # Root's own, and one that root's group may change as well.
                    for mode in (0o600, 0o660):
                        file, text = f"{lab.draw.word()}.txt", lab.draw.word().encode()
                        served.put(f"/probe/{file}", text, mode=mode)
                        hole = served.hear(f"/files/{_UP}{file}", "PUT", b"mine")
                        done = served.read(f"/probe/{file}") != text
                        yield Rights(running, hole, done * file, mode, program, still)
            try:
                # As in production, where the one that made the files is gone.
                lab.serves("shelf:lab", _PORT, keeps, once=_LATER_ONE, ends=_LATER_ONE, **volumed)
            except Wrong as wrong:
                raise wrong.at(_LATER_ONE) from wrong.__cause__


def _keeps(name: str, kept: list[str], served: Served, draw: Draw) -> Iterator[Facts]:
    """Put a file under a name that it may have already, with a text that is new.

    Args:
        name: of the file.
        kept: what was put there, the last one at its end; this text is added.
        served: the service.
        draw: makes up the text.
    """
    text, before = draw.word(32), "".join(kept[-1:])
    had = served.hear(f"/files/{name}")
    put = served.hear(f"/files/{name}", "PUT", text.encode())
    if not isinstance(put, Reply):
        yield Kept(name, text, -1, before, had, put, put, "", put)
        return
    kept.append(text)
    found = (served.read(f"{_SHELF}/{name}") or b"").decode(errors="replace")
    got, other = served.hear(f"/files/{name}"), served.hear(f"/files/{draw.word()}.txt")
    uid = max((process.uid for process in served.processes()), default=-1)
    yield Kept(name, text, uid, before, had, put, got, found, other)


def _program(served: Served, running: tuple[Process, ...]) -> str:
    """The service's program or a folder above if the service may change that, else nothing."""
    folder = served.folder()
    places: list[tuple[Process, str]] = []
    for process in running:
        scripts = [w for w in process.command.split() if w.endswith((".mjs", ".js", ".cjs"))]
        for script in scripts[:1]:
            places.append((process, join(folder, script)))
    # `node .` and `npm start` name no script: then it is one of the folder they run in.
    for process, place in places or [(process, folder) for process in running]:
        if found := _changeable(served, process, normpath(place)):
            return found
    return ""


def _changeable(served: Served, process: Process, place: str) -> str:
    """What a process may change of a path, from its end up; a link is followed."""
    while place != "/":
        entry = served.stat(place)
        if entry is not None and entry.issym():
            target = normpath(join(dirname(place), entry.linkname))
            if found := _changeable(served, process, target):
                return found
        elif entry is not None and _may_change(process, entry):
            return place
        place = dirname(place)
    return ""


def _may_change(process: Process, entry: TarInfo) -> bool:
    if entry.uid in process.uids:
        return True  # whatever its mode is: its owner may set another one
    if entry.isdir() and entry.mode & _STICKY:
        return False  # what others own in it can be neither replaced nor moved
    group = entry.gid in process.gids and entry.mode & 0o020
    return bool(group or entry.mode & 0o002)
