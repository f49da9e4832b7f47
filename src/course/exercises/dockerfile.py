"""Start states and checks of 02-dockerfile.

Each check builds a copy of the learner's folder, edits it with a fresh nonce and builds again. The
programs in the copy are the course's own, whatever the folder holds.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from course.exercises.kit import claims, guards, node_service
from course.exercises.kit.build_errors import named
from course.exercises.kit.claims import Claim
from course.exercises.kit.copy import Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.node_service import Answered
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.verdict import EDIT_MISSING, OLD_RUNTIME, Wrong
from course.measure.builds import Build

_PORT = 3000
_LOCK, _PACKAGE = "package-lock.json", "package.json"
_INSTALL, _INDEX, _COMPRESS = "install", "index", "compress"


def _log(build: Build) -> str:
    """Return what the step that failed said."""
    return "\n".join(build.failed.log) if build.failed else ""


def _refused(build: Build, nonce: str) -> tuple[str, str]:
    """Return the step whose guard has thrown, even if it went on, and what the guard forbids."""
    found = ((named(s), guards.refused("\n".join(s.log), nonce)) for s in build.ran)
    return next((pair for pair in found if pair[1]), ("", ""))


# -- dockerfile-1


@dataclass(frozen=True)
class Edited(Facts):
    """What a build did after an edit."""

    edit: str  # what was edited
    step: str  # that was kept from running again; empty if none was
    again: str  # what it would have done

    def wrong(self) -> Wrong | None:
        saw = f"after an edit of {self.edit} {self.step} runs again: "
        if self.again == _INDEX:
            saw, want = f"{saw}it makes the index", "the index kept: its inputs did not change"
            try_ = "which files does tools/index.mjs read? what else is above its step?"
            return Wrong("index-again", saw=saw, want=want, try_=try_)
        saw = f"{saw}it installs the dependencies"
        if self.again == _INSTALL and self.edit.startswith("data"):
            want = "the index made again, and the install kept"
            try_ = "which of the two slow steps is below the other's COPY?"
            return Wrong("install-after-data", saw=saw, want=want, try_=try_)
        return _install_again(saw) if self.again == _INSTALL else None


def _install_again(saw: str) -> Wrong:
    want = "the install kept: its inputs did not change"
    try_ = "which files does the COPY above the install take?"
    return Wrong("install-again", saw=saw, want=want, try_=try_)


@dataclass(frozen=True)
class Started(Facts):
    """How a container of stops began."""

    heard: Heard
    commands: tuple[str, ...]  # of its processes; none once it has ended
    again: str  # what it was kept from doing once more

    def wrong(self) -> Wrong | None:
        try_ = "which step of dockerfile-1/Dockerfile does that? and what does CMD do?"
        npm = any(command.startswith("npm ") for command in self.commands)
        if isinstance(self.heard, Ended):  # it reaches no registry
            npm = "npm error" in self.heard.log
        if self.again == _INSTALL or (npm and not isinstance(self.heard, Reply)):
            saw = "each start of the container installs the dependencies"
            want = "the dependencies installed while the image is built"
            return Wrong("installs-at-start", saw=saw, want=want, try_=try_)
        if self.again == _INDEX:
            saw = "each start of the container makes the index again"
            want = "the index in the image, made while it is built"
            return Wrong("indexes-at-start", saw=saw, want=want, try_=try_)
        return None


@dataclass(frozen=True)
class Stops(Facts):
    """What the service of a copy knows after both edits."""

    edition: str
    edited: str  # the edition of the edited source
    installed: tuple[str, str]  # when its packages were, before the edits and after
    word: str
    found: str
    wanted: str  # the stops with that word

    def wrong(self) -> Wrong | None:
        if self.edition != self.edited:
            saw = f"after an edit of src/ the image still serves edition `{self.edition}`"
            want = f"the edited source, edition `{self.edited}`"
            return Wrong(EDIT_MISSING, saw=saw, want=want, try_="which COPY takes src/?")
        if self.found != self.wanted:
            saw = f"after an edit of data/stops.txt `{self.word}` finds {self.found}"
            want = f"{self.wanted}, by an index that the build makes from the data that it copies"
            try_ = "which step writes index.json? and what did it read?"
            return Wrong("stale-index", saw=saw, want=want, try_=try_)
        if self.installed[0] != self.installed[1]:
            return _install_again("the edited image has its dependencies from another install")
        return None

    def notes(self) -> Iterator[str]:
        yield "an edit of src/ keeps both slow steps, an edit of data/ keeps the install"


@exercise("dockerfile-1", makes=("stops:lab",), start_cause="install-again")
class EditKeepsDependencies:
    """Two slow steps, and each is done again for a change of its own input only."""

    def observe(self, lab: Lab) -> Observation:
        """Edit all of the source of a copy, then its data, and ask what its images serve."""
        package = json.loads(original(lab.id, _PACKAGE))
        package["scripts"] = {"preinstall": guards.script(guards.once(_INSTALL))}
        server, stops = (
            original(lab.id, "src/server.mjs"),
            original(lab.id, "data/stops.txt"),
        )
        with lab.observe("three builds of a copy, and three starts"), lab.copy() as copy:
            env = guards.variable(copy.nonce, _INSTALL, _INDEX)
            copy.write(_PACKAGE, json.dumps(package))
            guarded = f"{guards.once(_INDEX)}\n{original(lab.id, 'tools/index.mjs')}"
            copy.write("tools/index.mjs", guarded)
            copy.write(_LOCK, original(lab.id, _LOCK))
            copy.write("src/server.mjs", server)
            copy.build()

            def begins(served: Served, _: Draw) -> Iterator[Facts]:
                heard = served.hear("/about")
                commands = tuple(process.command for process in served.processes())
                log = heard.log if isinstance(heard, Ended) else ""
                yield Started(heard, commands, guards.refused(log, copy.nonce))
                yield Answered(lab.id, _PORT, "/about", heard)

            later = "the edited image is started twice"
            with lab.starts(copy, _PORT, begins, env=env, once=later, ends=later) as starts:
                for served in starts:
                    installed = served.hear("/about").field("installed")
            edition = f'export const edition = "{copy.nonce}";\n'
            source = {"src/server.mjs": f"// {copy.nonce}\n{server}", "src/edition.mjs": edition}
            yield from _edit(copy, "src/", source, _INSTALL, _INDEX)
            word = lab.draw.word() + copy.nonce
            stops += f"{word} Square\n"
            yield from _edit(copy, "data/stops.txt", {"data/stops.txt": stops}, _INSTALL)

            def contract(served: Served, draw: Draw) -> Iterator[Facts]:
                yield from begins(served, draw)
                about = served.hear("/about")
                now = about.field("installed")
                for asked in (word, draw.one_of(("hill", "lane", "station"))):
                    found = served.hear(f"/?word={asked}").field("stops")
                    wanted = [s for s in stops.splitlines() if asked in s.lower().split()]
                    edition = about.field("edition")
                    yield Stops(edition, copy.nonce, (installed, now), asked, found, str(wanted))

            lab.serves(copy, _PORT, contract, env=env)


def _edit(copy: Copy, what: str, edits: Mapping[str, str], *forbidden: str) -> Observation:
    build = copy.edit(edits, *guards.option(copy.nonce, *forbidden))
    yield Edited(what, *_refused(build, copy.nonce))
    copy.accept(build, edits)


# -- dockerfile-2

_NODE = 24
_GUIDE_PORT = 8080


@dataclass(frozen=True)
class Serves(Facts):
    """What serves the guide."""

    heard: Heard
    node: str  # the version that the program which serves says; empty if it is not Node
    users: frozenset[int]  # who it runs as

    def wrong(self) -> Wrong | None:
        ended = isinstance(self.heard, Ended) and "URLPattern is not defined" in self.heard.log
        major = node_service.numbers(self.node)[:1]
        if ended or (major and major < [_NODE]):
            saw = "it ends: URLPattern is not defined" if ended else f"Node {self.node} serves"
            want = "a Node that `engines` in package.json allows"
            return Wrong(OLD_RUNTIME, saw=saw, want=want, try_="which image does FROM name?")
        if 0 in self.users:
            saw = "the process that serves runs as root; by the first Dockerfile it ran as node"
            try_ = "docker top CONTAINER   while it runs"
            return Wrong("root", saw=saw, want="a user that is not root", try_=try_)
        return None


@dataclass(frozen=True)
class Page(Facts):
    """A page of a copy's."""

    name: str
    heard: Heard
    html: str  # what it has to hold

    def wrong(self) -> Wrong | None:
        said = self.heard.body if isinstance(self.heard, Reply) else "nothing"
        if self.html not in said:
            saw = f"with pages/{self.name}.md in a copy, its page answers: {said[:60]}"
            want = "that page as HTML, made by `npm run build` while the image is built"
            try_ = "which step makes dist/, and from which files? or is it copied?"
            return Wrong(EDIT_MISSING, saw=saw.strip(), want=want, try_=try_)
        return None


@dataclass(frozen=True)
class Refusal(Facts):
    """What a build did where `engines` asks for a newer Node than the base has."""

    build: Build
    node: str
    wanted: str  # a version just past it

    def wrong(self) -> Wrong | None:
        if not self.build.error:
            saw = f'with "engines": {{"node": ">={self.wanted}"}} the build goes on, on {self.node}'
            want = "a build that stops on a Node that package.json does not allow"
            try_ = "ls -A dockerfile-2   which file has the rule, and which step reads it?"
            return Wrong("engines-ignored", saw=saw, want=want, try_=try_)
        return None

    @property
    def told(self) -> bool:
        """Whether it stopped because of that, and not because a registry was away."""
        return self.wanted in _log(self.build) or "engine" in _log(self.build).lower()

    def notes(self) -> Iterator[str]:
        yield f"it runs on Node {self.node}; `engines` of {self.wanted} stops the build"


@exercise("dockerfile-2", makes=("guide:lab",), start_cause="build-fails")
class GuideBuilds:
    """Break-it: a build without its tool, on an old Node, that does not see the team's rule."""

    def observe(self, lab: Lab) -> Observation:
        """Add a page to a copy, run its image, and ask for a Node just past the one it has."""
        with lab.observe("two builds of a copy, and two starts"), lab.copy() as copy:
            for name in (_PACKAGE, _LOCK, "tools/build.mjs", "server.mjs"):
                copy.write(name, original(lab.id, name))
            word, html = lab.draw.word(), f"<h1>{copy.nonce}</h1>"
            copy.rebuild({f"pages/{word}.md": f"# {copy.nonce}\n"})
            node = ""

            def contract(served: Served, draw: Draw) -> Iterator[Facts]:
                nonlocal node
                heard = served.hear("/")
                node = node or next(iter(node_service.versions(served)), heard.field("node"))
                yield Serves(heard, node, node_service.users(served))
                yield Answered(lab.id, _GUIDE_PORT, "/", heard)
                yield Page(word, served.hear(f"/pages/{word}"), html)
                old = draw.one_of(("harbour", "hill"))
                yield Page(old, served.hear(f"/pages/{old}"), f"<h1>The {old}</h1>")

            lab.serves(copy, _GUIDE_PORT, contract)
            major, minor, *_ = [*node_service.numbers(node), _NODE, 0]
            wanted = f"{major}.{minor + 1}.0"  # a rule that compares the major alone lets it pass
            package = json.loads(original(lab.id, _PACKAGE))
            package["engines"]["node"] = f">={wanted}"
            copy.write(_PACKAGE, json.dumps(package))
            yield (refusal := Refusal(copy.attempt("--output=type=cacheonly"), node, wanted))
            if not refusal.told:
                copy.accept(refusal.build)


# -- dockerfile-3


@dataclass(frozen=True)
class FirstInstall(Facts):
    """What a build did on an empty cache."""

    build: Build

    def wrong(self) -> Wrong | None:
        step, log = self.build.failed, _log(self.build)
        by_root, _ = _refused(self.build, guards.ROOT)
        if by_root:
            saw = f"{by_root} runs as root, and so would the scripts of each package"
            return _as_root(saw, "which user do the steps below a USER run as? and those above it?")
        if step and "ENOTCACHED" in log:
            saw = f"with an empty cache {named(step)} fails: it may not download"
            want = "a build that works on a new machine, and downloads there once"
            try_ = "which option forbids npm to ask the registry?"
            return Wrong("needs-a-full-cache", saw=saw, want=want, try_=try_)
        if step and "EACCES" in log and _mounts_a_cache(step.instruction):
            saw = f"{named(step)} fails: its user may not write to the folder that is mounted"
            want = "a folder in which the user of the install may write"
            try_ = "whose is a mounted folder if nothing is said? the options of --mount=type=cache"
            return Wrong("cache-not-writable", saw=saw, want=want, try_=try_)
        return None


def _as_root(saw: str, try_: str) -> Wrong:
    want = "the install as the user node, as it was"
    return Wrong("install-as-root", saw=saw, want=want, try_=try_)


def _mounts_a_cache(instruction: str) -> bool:
    # The builder's own report of the step, not the learner's file.
    return bool(re.search(r"--mount=\S*type=cache", instruction))


@dataclass(frozen=True)
class Reinstall(Facts):
    """What a build did after a release, with all packages but one at dead addresses."""

    build: Build

    def wrong(self) -> Wrong | None:
        step = self.build.failed
        if not step or not re.search(r"\bE?40\d\b", _log(self.build)):
            return None
        saw = f"after a release {named(step)} asks the registry for a package that it had before"
        if _mounts_a_cache(step.instruction):
            saw, want = f"{saw}, though a cache is mounted", "a cache where npm keeps its downloads"
            try_ = "docker run --rm --user node node:24-slim npm config get cache"
            return Wrong("cache-not-used", saw=saw, want=want, try_=try_)
        if "mount=type=cache" in step.instruction:
            saw += ": nothing is mounted, since the shell took `mount=…` for a variable"
            try_ = "an option of RUN begins with two dashes: RUN --mount=…"
            return Wrong("no-option", saw=saw, want="a mount that the builder knows of", try_=try_)
        want = "an install from what was downloaded before"
        try_ = "where does npm keep what it downloads, and what becomes of that folder?"
        return Wrong("downloads-again", saw=saw, want=want, try_=try_)


@dataclass(frozen=True)
class Holds(Facts):
    """Which versions an image of greet holds, and whose its packages are."""

    versions: Mapping[str, str]
    wanted: Mapping[str, str]
    owner: str  # a user's number

    def wrong(self) -> Wrong | None:
        for name, version in self.wanted.items():
            if self.versions[name] != version:
                cause = EDIT_MISSING if name == "greet" else "lock-ignored"
                saw = f"the image has {name} {self.versions[name]}"
                want = f"{name} {version}, as package-lock.json says"
                try_ = "which npm command installs what the lock file says, and nothing else?"
                if name == "greet":
                    try_ = "which COPY takes package.json, and is any of its layers an old one?"
                return Wrong(cause, saw=saw, want=want, try_=try_)
        if self.owner == "0":
            try_ = "docker run --rm greet:lab ls -ln node_modules"
            return _as_root("the packages in the image belong to root", try_)
        return None

    def notes(self) -> Iterator[str]:
        yield "another lock file: what was new was downloaded, and nothing else"


@exercise("dockerfile-3", makes=("greet:lab",), start_cause="downloads-again")
class LockChangeDownloadsTheNew:
    """An install by a user who is not root, which must run again, and need not download again."""

    def observe(self, lab: Lab) -> Observation:
        """Build a copy on an empty cache, then with a release in which one package has moved.

        In the second lock file the other package keeps its checksum, and its address is one that
        no registry has: an install from the cache succeeds, a download cannot.
        """
        with lab.observe("two builds of a copy, and two starts"), lab.copy() as copy:
            # A name space of its own: the cache is empty, as on a machine that never built this.
            own = ("--build-arg", f"BUILDKIT_CACHE_MOUNT_NS={copy.nonce}")
            copy.write("server.mjs", original(lab.id, "server.mjs"))
            # Nor may the learner's own build lend its layer, or what it knows of today's lock file.
            number, moves = int(copy.nonce, 16), lab.draw.one_of(list(_published()))
            pick = lab.draw.number(0, 1)
            pins = {name: list(known)[pick] for name, known in _published().items()}
            first = copy.edit(_release(f"1.1.{number}", pins), *own)
            yield FirstInstall(first)
            copy.accept(first)
            kept = next(f"{name}-{pin}" for name, pin in pins.items() if name != moves)
            pins[moves] = list(_published()[moves])[-1]
            edits = _release(f"1.2.{number}", pins)
            edits[_LOCK] = edits[_LOCK].replace(f"{kept}.tgz", f"{kept}-{copy.nonce}.tgz")
            second = copy.edit(edits, *own)
            yield Reinstall(second)
            copy.accept(second, edits)
            wanted = {"greet": f"1.2.{number}", **pins}

            def contract(served: Served, _: Draw) -> Iterator[Facts]:
                heard = served.hear("/")
                yield Answered(lab.id, _PORT, "/", heard)
                held = {name: heard.field(name) for name in wanted}
                yield Holds(held, wanted, heard.field("owner"))

            lab.serves(copy, _PORT, contract)


def _published() -> dict[str, dict[str, str]]:
    """Return package → version → checksum; none is the newest, so a lock file counts."""
    published: dict[str, dict[str, str]] = json.loads(
        original("dockerfile-3.releases", "published.json")
    )
    return published


def _release(number: str, pins: Mapping[str, str]) -> dict[str, str]:
    """Return the package files of a release of greet."""
    package, lock = (json.loads(original("dockerfile-3", name)) for name in (_PACKAGE, _LOCK))
    whole = lock["packages"]
    for head in (package, lock, whole[""]):
        head["version"] = number
    for head in (package, whole[""]):
        head["dependencies"] = {name: f"^{pin}" for name, pin in pins.items()}
    for name, pin in pins.items():
        address = f"https://registry.npmjs.org/{name}/-/{name}-{pin}.tgz"
        about = {"version": pin, "resolved": address, "integrity": _published()[name][pin]}
        whole[f"node_modules/{name}"] = about
    package["scripts"] = {"preinstall": guards.script(guards.not_as_root(_INSTALL))}
    return {_PACKAGE: json.dumps(package), _LOCK: json.dumps(lock)}


# -- dockerfile-4

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
                copy.write(f"tools/{name}.mjs", f"{guards.once(name)}\n{program}")
            copy.write("server.mjs", original(lab.id, "server.mjs"))
            copy.build()
            stop, line = (lab.draw.word() + copy.nonce for _ in range(2))
            stops = original(lab.id, "data/stops.txt") + f"{stop}\n"
            index, compress_too = _change(copy, {"data/stops.txt": stops}, _COMPRESS)
            assets = {"assets/timetable.txt": f"{line}\n{_timetable()}"}
            compress, index_too = _change(copy, assets, _INDEX)
            changes, said = json.loads(lab.recall("changes")), claim.figures(*_FIGURES)
            here = Day(**changes, index=index, compress=compress)
            own = Day(**changes, index=said["index_s"], compress=said["compress_s"])
            yield (ordered := Ordered(here, own, compress_too, index_too))
            yield Counted(own, ordered.first, said["day_s"], said["other_day_s"])

            def contract(served: Served, draw: Draw) -> Iterator[Facts]:
                old = draw.one_of(("Harbour", "Town", "Mill"))
                asked = {"/first": line, f"/?word={stop}": stop, f"/?word={old.lower()}": old}
                for path, edited in asked.items():
                    heard = served.hear(path)
                    yield Answered(lab.id, _PORT, path, heard)
                    yield Made(path, heard, edited)

            lab.serves(copy, _PORT, contract)


def _change(copy: Copy, edits: Mapping[str, str], other: str) -> tuple[float, bool]:
    """Edit the input of one step; return its seconds, and whether the other step ran too."""
    build = copy.edit(edits, *guards.option(copy.nonce, other))
    seconds = sum(step.seconds for step in build.ran if step.key == "RUN" and not step.error)
    too = other in _refused(build, copy.nonce)
    copy.accept(copy.attempt("--tag", copy.tag) if too else build, edits)
    return max(0.05, seconds), too


def _timetable() -> str:
    stops, rows = original("dockerfile-4", "data/stops.txt").splitlines(), range(30_000)
    times = (f"{n // 60 % 24:02d}:{n % 60:02d} {stops[n * n % len(stops)]}" for n in rows)
    return "".join(
        f"{time} {n * 2654435761 % 2**32:x}\n" for n, time in zip(rows, times, strict=True)
    )
