"""slim-images-4: how many MB three ways to build hold, and a release that meets both needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from course.core.text import cut
from course.exercises.due_dates import PORT, ask_when_due, drawn_days
from course.exercises.kit import claims, image, start_files
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.image import Size
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import STALE_IMAGE, Wrong
from course.measure import layers

_WAYS = {
    "later": r"^(RUN|/bin/sh -c) npm prune",
    "one-run": r"npm ci && npm run build",
    "stages": r"\./node_modules",
}
"""Each way, and a step that no other way has."""
_RELEASE = "invoice:release"
_MOST_MB, _MOST_MOVED_MB = 12.0, 1.0
_SHARE, _LEAST_MB = 0.02, 0.06
"""How far a figure may be off: less than MB and MiB differ, more than one decimal does."""
_UNITS = {"MiB": 1e6 / 2**20, "kB": 1e3, "KiB": 1e6 / 2**10, "bytes": 1e6}
_INSTALL_WAIT = 300.0
_SOURCE, _LINE = "src/server.ts", "late, edition }"
"""Where the check changes a line, and a part of that line as it came: it makes the answer."""
_REBUILT, _ASKED = "$(docker build -q slim-images-4)", "/?from=2026-03-01&days=30&code=8001"
_HISTORY = "docker history node:24-slim"


@dataclass(frozen=True)
class Measured(Facts):
    """What the learner says of an image, and what its layers hold."""

    claim: claims.Claim
    way: str
    size: Size
    steps: tuple[str, ...]

    def wrong(self) -> Wrong | None:
        way, history = self.way, f"docker history invoice:{self.way}"
        want = "MB of all layers above those of node:24-slim, as `docker history` counts them"
        if flaw := self.claim.flaw(way):
            try_ = f"{history}   without the layers that node:24-slim has too"
            return Wrong("no-figures", saw=flaw, want=f"a number: {want}", try_=try_)
        if not any(re.search(_WAYS[way], step) for step in self.steps):
            saw = f"invoice:{way} is no build of {way}.Dockerfile as it came"
            try_ = f"docker build --tag invoice:{way} --file slim-images-4/{way}.Dockerfile …"
            return Wrong("other-way", saw=saw, want=f"invoice:{way} built from it", try_=try_)
        figure, own = self.claim.figures(way)[way], self.size.above / 1e6
        if claims.near(figure, own, share=_SHARE, least=_LEAST_MB):
            return None
        saw = f"measured.json says {figure:g} MB for invoice:{way}"
        if unit := claims.unit(figure, own, _UNITS, share=_SHARE):
            saw, want = f"{saw}: these are {unit}", f"{want}; 1 MB is 1,000,000 bytes"
            try_ = f"{history} --human=false   counts in bytes"
            return Wrong("other-unit", saw=saw, want=want, try_=try_)
        if figure > 0.9 * self.size.whole / 1e6:
            saw, try_ = f"{saw}: that is with the base", f"{history}   against   {_HISTORY}"
            return Wrong("with-the-base", saw=saw, want=want, try_=try_)
        if way == "later" and figure < 0.7 * own:
            saw, want = f"{saw}: about what a container sees", f"{want}, hidden files too"
            try_ = f"{history}   du in a container sees the topmost layer alone"
            return Wrong("measured-inside", saw=saw, want=want, try_=try_)
        saw = f"{saw}; its layers hold {'less' if figure > own else 'more'}"
        try_ = f"{history}   (`docker images` may count packed copies of them too)"
        return Wrong("wrong-figure", saw=saw, want=want, try_=try_)


@dataclass(frozen=True)
class Released(Facts):
    """What is shipped, and a build of the Dockerfile before and after a changed line."""

    own: float  # MB of invoice:release above the base
    steps: tuple[str, ...]
    of_dockerfile: tuple[str, ...]  # the steps of a build of the Dockerfile as it is
    moved: float  # MB of layers that a build after the change made anew
    edition: str  # in the changed line
    heard: Heard  # of the image with the change

    def wrong(self) -> Wrong | None:
        if self.own > _MOST_MB:
            saw = f"invoice:release holds {self.own:.1f} MB above the base"
            want = f"{_MOST_MB:.0f} MB or less, over all of its layers"
            try_ = "docker history invoice:release   is it a build of the Dockerfile as it is now? "
            try_ += "and which layer holds files that a later one deletes?"
            return Wrong("too-large", saw=saw, want=want, try_=try_)
        if self.steps != self.of_dockerfile:
            other = next((step for step in self.steps if step not in self.of_dockerfile), "")
            how = f"it has the step `{cut(other, 70)}`" if other else "it lacks steps of that"
            saw = f"invoice:release is no build of your Dockerfile: {how}"
            want = "invoice:release built from slim-images-4/Dockerfile as it is"
            try_ = "docker build --tag invoice:release slim-images-4"
            return Wrong(STALE_IMAGE, saw=saw, want=want, try_=try_)
        if not isinstance(self.heard, Reply):
            return no_reply(self.heard, _REBUILT, PORT, f"an answer to {_ASKED}")
        if self.heard.field("edition") != self.edition:
            saw = "after a change of src/server.ts the rebuilt image does not have it"
            try_ = "docker build --no-cache slim-images-4   what does it copy?"
            want = "an image that is built from src/"
            return Wrong("not-from-source", saw=saw, want=want, try_=try_)
        if self.moved >= _MOST_MOVED_MB:
            saw = f"after one line changed in src/, the new layers hold {self.moved:.1f} MB"
            want = f"less than {_MOST_MOVED_MB:.0f} MB, not packed: what did not change stays in a "
            try_ = "docker history invoice:release   what else is in the program's layer?"
            return Wrong("moves-much", saw=saw, want=f"{want}layer of its own", try_=try_)
        return None

    def notes(self) -> Iterator[str]:
        moved = f"{self.moved * 1e3:.0f} kB"
        yield f"above the base {self.own:.1f} MB; a changed line makes new layers of {moved}"


@exercise(
    "slim-images-4",
    makes=(*(f"invoice:{way}" for way in _WAYS), _RELEASE),
    start_cause="no-figures",
)
class SmallAndMovesLittle:
    """Three ways to leave the build behind, none of which meets both needs."""

    def observe(self, lab: Lab) -> Observation:
        """Compare the figures with the images, then judge the release by both needs."""
        claim = claims.read(lab.folder(), "measured.json")
        for way in _WAYS:
            if claim.flaw(way):
                yield Measured(claim, way, Size(0, 0), ())
            ref = f"invoice:{way}"
            yield Measured(claim, way, image.size(lab, ref), image.steps(lab, ref))
        own = image.size(lab, _RELEASE).above / 1e6
        with lab.observe(f"two starts of {_RELEASE}"):
            lab.serves(_RELEASE, PORT, partial(_invoice, _RELEASE))
        # The file as it came: a learner may have changed any line of it, to try.
        source, edition = start_files.original(lab.id, _SOURCE), lab.draw.word()
        edit = {_SOURCE: source.replace(_LINE, f'late, edition: "{edition}" }}')}
        with lab.copy() as copy:
            with lab.observe("a build of a copy of your folder, and one after a changed line"):
                copy.build(wait=_INSTALL_WAIT)
                steps = image.steps(lab, copy.tag)
                before = layers.digests(lab.docker, [copy.tag])
                copy.rebuild(edit, wait=_INSTALL_WAIT)
            with lab.observe("a look into the layers that changed"):
                new = layers.read(lab.docker, copy.tag, known=before)
            moved = sum(layer.size for layer in new) / 1e6
            contract = partial(_invoice, _REBUILT)
            start = lab.starts(copy, PORT, contract, once=f"{_RELEASE} was started twice")
            with lab.observe("a start of the copy's image"), start as starts:
                for served in starts:
                    heard = served.hear(_ASKED)
                    yield Released(own, image.steps(lab, _RELEASE), steps, moved, edition, heard)


def _invoice(ref: str, served: Served, draw: Draw) -> Iterator[Facts]:
    for day in drawn_days(draw):
        code, many = draw.number(0, 9999), draw.number(1, 400)
        holiday = _holiday(code, day.year)
        for due in (day, holiday):
            wanted = due + timedelta(due == holiday)
            query = f"/?from={due - timedelta(many)}&days={many}&code={code:04}"
            yield ask_when_due(served, ref, query, wanted)


def _holiday(code: int, year: int) -> date:
    """The holiday of a post code in a year, as tools/holidays.mjs computes it."""
    return date(year, 1, 1) + timedelta((code * 37 + (year - 2020) * 11) % 360)
