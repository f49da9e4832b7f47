"""dockerfile-4: which order of two steps costs less a day, by the learner's own figures."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from course.exercises.kit import claims, guards
from course.exercises.kit.claims import Claim
from course.exercises.kit.copy import Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.node_service import Answered
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.verdict import Wrong
from course.measure.builds import Build

_PORT = 3000
_INDEX, _COMPRESS = "index", "compress"
_FIGURES = ("index_s", "compress_s", "day_s", "other_day_s")
_LEAST_S, _APART_S, _FACTOR = 0.02, 1.0, 4.0
"""What a step takes at least, and how far two runs of one may be apart, by seconds or a factor."""


@dataclass(frozen=True)
class Day:
    """A day of changes, and the seconds of both steps."""

    data: int  # changes of data/
    assets: int
    index: float
    compress: float

    def seconds(self, first: str) -> float:
        """Return what it costs with a step above the other, or with the two apart."""
        above = {_INDEX: self.data * self.compress, _COMPRESS: self.assets * self.index}
        return self.data * self.index + self.assets * self.compress + above.get(first, 0.0)


@dataclass(frozen=True)
class Claimed(Facts):
    """The learner's file."""

    claim: Claim

    def wrong(self) -> Wrong | None:
        want = f"{self.claim.name} with {', '.join(_FIGURES)}: numbers, in seconds"
        if not self.claim.exists:
            saw = f"there is no {self.claim.name}"
            try_ = "build with --no-cache and --progress=rawjson; course.measure.builds reads it"
            return Wrong("no-measurement", saw=saw, want=want, try_=try_)
        if saw := self.claim.flaw(*_FIGURES):
            try_ = "fill in the cell that writes it, and run it again"
            return Wrong("measurement-incomplete", saw=saw, want=want, try_=try_)
        return None


@dataclass(frozen=True)
class Ordered(Facts):
    """What each change redid, and what both steps took."""

    here: Day  # by builds of a copy
    own: Day  # by the learner's figures
    compress_too: bool  # by a change of data/
    index_too: bool  # by a change of assets/

    @property
    def first(self) -> str:
        """The step that is above the other; empty if they are apart."""
        return _INDEX if self.compress_too else _COMPRESS if self.index_too else ""

    def wrong(self) -> Wrong | None:
        if self.compress_too and self.index_too:
            saw = "a change of data/ redoes the compression, a change of assets/ the index"
            want = "two steps of which at least one is kept when the other's input changes"
            try_ = "what does each COPY take, and which steps are below it?"
            return Wrong("all-again", saw=saw, want=want, try_=try_)
        if saw := _implausible("index_s", self.own.index, self.here.index) or _implausible(
            "compress_s", self.own.compress, self.here.compress
        ):
            want = "the seconds of both steps on this machine, from a build without its cache"
            try_ = "a step that was cached took no time: measure with --no-cache"
            return Wrong("not-measured-here", saw=saw, want=want, try_=try_, timed=True)
        above, below = (_COMPRESS, _INDEX) if self.index_too else (_INDEX, _COMPRESS)
        for day in (self.own, self.here) if self.compress_too else (self.own,):
            if self.first and day.seconds(above) > day.seconds(below):
                times = f"index {day.index:.1f} s, compression {day.compress:.1f} s"
                by = "by your figures" if day is self.own else "in a copy"
                folder = "data" if self.compress_too else "assets"
                saw = f"a change of {folder}/ redoes both steps ({times} {by}): that costs more"
                want = "the order in which such a day costs less, and figures that say so"
                try_ = "compute both days from your figures: which step waits for which change?"
                return Wrong("dearer-order", saw=saw, want=want, try_=try_, timed=True)
        return None

    def notes(self) -> Iterator[str]:
        yield f"seconds here: index {self.here.index:.1f}, compression {self.here.compress:.1f}"
        yield f"yours: index {self.own.index:.1f}, compression {self.own.compress:.1f}"


def _implausible(name: str, claimed: float, seen: float) -> str:
    if claims.near(claimed, seen, share=0.0, least=_APART_S) and claimed >= _LEAST_S:
        return ""
    if claims.within_factor(claimed, seen, _FACTOR):
        return ""
    if claims.unit(claimed, seen, {"ms": 1000.0}, share=0.8):
        return f"{name} is {claimed:g}: is that in milliseconds?"
    more = "longer" if seen > claimed else "less"
    return f"{name} is {claimed:g}; in a copy that step takes much {more}, here and now"


@dataclass(frozen=True)
class Counted(Facts):
    """The days that the learner has counted."""

    own: Day  # by the learner's figures
    first: str  # the step that is above the other
    day_s: float
    other_day_s: float

    def wrong(self) -> Wrong | None:
        want = f"{self.own.data} changes of data/ and {self.own.assets} of assets/, "
        at = f"with index_s {self.own.index:g} and compress_s {self.own.compress:g}"
        if not _is_day(self.day_s, self.own, self.first):
            saw, want = f"day_s is {self.day_s:g}, {at}", f"{want}each with all that it redoes"
            try_ = "which steps does each kind of change redo by your Dockerfile?"
            return Wrong("day-miscounted", saw=saw, want=want, try_=try_)
        # Apart, neither order is the other one: any of the two may be compared.
        others = [first for first in (_INDEX, _COMPRESS) if first != self.first]
        if not any(_is_day(self.other_day_s, self.own, first) for first in others):
            saw, want = f"other_day_s is {self.other_day_s:g}, {at}", f"{want}in the other order"
            try_ = "which steps would each kind of change redo then?"
            return Wrong("other-day-miscounted", saw=saw, want=want, try_=try_)
        return None


def _is_day(claimed: float, day: Day, first: str) -> bool:
    return claims.near(claimed, day.seconds(first), share=0.05, least=0.2)


@dataclass(frozen=True)
class Made(Facts):
    """What site serves after both changes."""

    path: str
    heard: Heard
    edited: str  # what it has to hold of the edited file

    def wrong(self) -> Wrong | None:
        body = self.heard.body if isinstance(self.heard, Reply) else ""
        if self.edited not in body:
            saw = f"after an edit of its input GET {self.path} answers {body[:60]}"
            want = f"`{self.edited}` in it: what the step makes from the edited file"
            try_ = "which steps make index.json and public/? or are they copied?"
            return Wrong("stale-output", saw=saw, want=want, try_=try_)
        return None


@exercise("dockerfile-4", makes=("site:lab",), start_cause="no-measurement")
class CheaperOrder:
    """Two slow steps that do not need each other: which order costs less a day."""

    def begin(self, lab: Lab) -> None:
        """Write what is compressed, and a day of changes that not every learner has."""
        lab.write("assets/timetable.txt", _timetable())
        data = 5 + secrets.randbelow(3)
        changes = json.dumps({"data": data, "assets": data + 1})
        lab.write("changes.json", changes + "\n")
        lab.remember("changes", changes)

    def observe(self, lab: Lab) -> Observation:
        """Change the data and then the assets of a copy; compare with what was measured."""
        claim = claims.read(lab.folder(), "measured.json")
        yield Claimed(claim)
        with lab.observe("four builds of a copy, and two starts"), lab.copy() as copy:
            for name in (_INDEX, _COMPRESS):
                program = original(lab.id, f"tools/{name}.mjs")
                says = f"{guards.once(name)} {guards.noted(name)}"
                copy.write(f"tools/{name}.mjs", f"{says}\n{program}")
            copy.write("server.mjs", original(lab.id, "server.mjs"))
            copy.build()
            stop, line = (lab.draw.word() + copy.nonce for _ in range(2))
            stops = original(lab.id, "data/stops.txt") + f"{stop}\n"
            index, compress_too = _change(copy, {"data/stops.txt": stops}, _INDEX, _COMPRESS)
            assets = {"assets/timetable.txt": f"{line}\n{_timetable()}"}
            compress, index_too = _change(copy, assets, _COMPRESS, _INDEX)
            changes, said = json.loads(lab.recall("changes")), claim.figures(*_FIGURES)
            here = Day(**changes, index=index, compress=compress)
            own = Day(**changes, index=said["index_s"], compress=said["compress_s"])
            yield (ordered := Ordered(here, own, compress_too, index_too))

            def contract(served: Served, draw: Draw) -> Iterator[Facts]:
                old = draw.one_of(("Harbour", "Town", "Mill"))
                asked = {"/first": line, f"/?word={stop}": stop, f"/?word={old.lower()}": old}
                for path, edited in asked.items():
                    heard = served.hear(path)
                    yield Answered(lab.id, _PORT, path, heard)
                    yield Made(path, heard, edited)

            # What is not made by a step has no seconds to be counted.
            lab.serves(copy, _PORT, contract)
            yield Counted(own, ordered.first, said["day_s"], said["other_day_s"])


def _change(copy: Copy, edits: Mapping[str, str], own: str, other: str) -> tuple[float, bool]:
    """Edit the input of one step; return its seconds, and whether the other step ran too."""
    build = copy.edit(edits, *guards.option(copy.nonce, other))
    seconds = _seconds(build, own)
    too = other in guards.refused_step(build, copy.nonce)
    copy.accept(copy.attempt("--tag", copy.tag) if too else build, edits)
    return max(0.05, seconds), too


def _seconds(build: Build, name: str) -> float:
    """Return the seconds of the step that ran a program, or of all if none said so."""
    ran = [step for step in build.ran if step.key == "RUN" and not step.error]
    own = [step for step in ran if guards.runs(step.log, name)]
    return sum(step.seconds for step in own or ran)


def _timetable() -> str:
    stops, rows = original("dockerfile-4", "data/stops.txt").splitlines(), range(30_000)
    times = (f"{n // 60 % 24:02d}:{n % 60:02d} {stops[n * n % len(stops)]}" for n in rows)
    return "".join(
        f"{time} {n * 2654435761 % 2**32:x}\n" for n, time in zip(rows, times, strict=True)
    )
