"""Start states and checks of 03-slim-images.

Here: what an image holds that only its build needs. What a build sends is in `build_context`, which
base a rebuild gets in `pinned_base`, what a release weighs and moves in `release_size`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from course.exercises import build_context, pinned_base, release_size  # noqa: F401 - 2 to 4
from course.exercises.due_dates import PORT, ask_when_due, drawn_days
from course.exercises.kit import image
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.image import Contents, Held, kept_below
from course.exercises.kit.lab import Lab
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong

_RUNS_ONLY = "no development package, no compiler and no TypeScript source, in any layer"
_DEVELOPMENT = ("@types/luxon", "@types/node", "typescript", "undici-types")
_CALLED = tuple(f'"name": "{name}"'.encode() for name in _DEVELOPMENT)
"""What the package.json of each says, in whatever folder it is."""
_PACKED = tuple(f"/{name}/-/".encode() for name in _DEVELOPMENT)
"""What npm's cache notes of each that it has downloaded: a part of its address."""
_COMPILER = b"Type '{0}' is not assignable to type '{1}'."
"""One of the compiler's messages, by which it is found under any name."""
_CODE_CACHE = "/node-compile-cache/"
"""Where Node keeps what it has made of a program that asks for it, as the compiler does."""
_SOURCES = (b"const holidays: string[]", b"due: string | null;")
"""What compiling leaves out of each source."""
_SOURCE = re.compile(r"(?<!\.d)\.[cm]?tsx?$")
_HOLIDAYS = ((1, 1), (1, 2), (8, 1), (12, 25), (12, 26))
_LONG_PAUSES = (date(2042, 12, 25), date(2053, 12, 25))
"""Thursdays, with three more days off behind them: no holiday has more."""


@dataclass(frozen=True)
class Shipped(Facts):
    """What due:lab holds above the base."""

    at_start: bool  # whether it is the start state's image
    beside: str  # another tag of `due`, empty if there is none
    packages: tuple[Held, ...]  # files of what only a build needs
    sources: tuple[Held, ...]
    packed: tuple[Held, ...]  # notes of npm's cache that it has such a package
    size: int
    files: int
    cache: int  # bytes of npm's

    def wrong(self) -> Wrong | None:
        if self.at_start:
            saw, want = "due:lab is still the image of the start state", "an image of that name"
            saw += f"; there is also `{self.beside}`" if self.beside else ""
            try_ = "docker images due   then: docker build --tag due:lab slim-images-1"
            return Wrong("unchanged", saw=saw, want=f"{want} without what built it", try_=try_)
        # What is installed comes first: it is the cause of what is in the cache.
        found = (*self.packages, *self.sources) or self.packed
        if not found:
            return None
        # What a container sees is easier to find.
        first = min(found, key=lambda held: held.hidden)
        try_ = "docker history --no-trunc due:lab   which step brought it, and in which stage?"
        if first.hidden:
            return kept_below(first, _RUNS_ONLY)
        if first in self.packed:
            cache = first.path.partition("_cacache")[0]
            saw = f"`{first.by}` leaves a development package in npm's cache: /{cache}_cacache"
            try_ = "docker run --rm due:lab npm cache ls   which of these are needed to run?"
            return Wrong("npm-cache", saw=saw, want=_RUNS_ONLY, try_=try_)
        if first in self.sources:
            saw = f"the image has a TypeScript source: /{first.path}"
            return Wrong("sources", saw=saw, want=_RUNS_ONLY, try_=try_)
        if first.path.startswith("usr/local/lib/node_modules/"):
            saw = f"`{first.by}` installs the compiler for all: /{first.path}"
            try_ = "docker run --rm due:lab npm ls --global   what is compiled while it runs?"
            return Wrong("compiler-installed", saw=saw, want=_RUNS_ONLY, try_=try_)
        cause = "copied-whole" if first.by.startswith(("COPY", "ADD")) else "development-packages"
        saw = f"the step `{first.by}` brings /{first.path}"
        return Wrong(cause, saw=saw, want=_RUNS_ONLY, try_=try_)

    def notes(self) -> Iterator[str]:
        yield f"above the base your layers hold {self.size / 1e6:.1f} MB in {self.files} files"
        if self.cache:
            yield f"{self.cache / 1e6:.1f} MB of that are npm's cache: /root/.npm"


@exercise("slim-images-1", image="due:lab", start_cause="unchanged")
class ShipsWhatRuns:
    """A single-stage image of two TypeScript packages that has to leave its build behind."""

    def observe(self, lab: Lab) -> Observation:
        """Ask the service, then look for what nobody runs, layer by layer."""
        with lab.observe("two starts of due:lab"):
            lab.serves("due:lab", PORT, _due)
        size = image.size(lab, "due:lab").above
        held = image.contents(lab, "due:lab", (_COMPILER, *_SOURCES, *_CALLED, *_PACKED))
        yield Shipped(
            lab.image("due:lab").id == lab.recall("made"),
            lab.other_tags("due:lab"),
            (
                *held.named(_is_development),
                *(one for one in _having(held, _CALLED) if one.path.endswith("package.json")),
                *(one for one in held.having(_COMPILER) if _CODE_CACHE not in one.path),
            ),
            (*held.named(_is_source), *_having(held, _SOURCES)),
            tuple(one for one in _having(held, _PACKED) if "_cacache/index-" in one.path),
            size,
            len(held.seen),
            sum(f.size for path, f in held.seen.items() if path.startswith("root/.npm/")),
        )


def _due(served: Served, draw: Draw) -> Iterator[Facts]:
    days = drawn_days(draw)
    for day in (*days, *(date(days[1].year, *one) for one in _HOLIDAYS), *_LONG_PAUSES):
        due, many = day, draw.number(1, 400)
        while due.weekday() > 4 or (due.month, due.day) in _HOLIDAYS:
            due += timedelta(1)
        query = f"/?from={day - timedelta(many)}&days={many}"
        yield ask_when_due(served, "due:lab", query, due)


def _having(held: Contents, texts: tuple[bytes, ...]) -> Iterator[Held]:
    return (one for text in texts for one in held.having(text))


def _is_development(path: str) -> bool:
    return any(f"node_modules/{name}/" in path for name in _DEVELOPMENT)


def _is_source(path: str) -> bool:
    ours = "node_modules/" not in path or "node_modules/@due/" in path
    return ours and bool(_SOURCE.search(path))
