"""Start states and checks of 03-slim-images."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from course.core import paths, waiting
from course.core.text import cut
from course.exercises.kit import build_errors, claims, image, moved_tags, start_files
from course.exercises.kit.copy import Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.image import Held, Size
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import BASE_ONLY_HERE, WRONG_ANSWER, Wrong
from course.measure import layers
from course.measure.registry_client import Repository

_PORT = 3000
_STALE_IMAGE = "stale-image"
_STAGE = "and which stage has it?"


# -- the services that say when an invoice is due, of slim-images-1 and slim-images-4


@dataclass(frozen=True)
class Due(Facts):
    """What a service said of when an invoice is due."""

    ref: str
    query: str
    wanted: Mapping[str, str]  # fields of the answer
    heard: Heard

    def wrong(self) -> Wrong | None:
        heard, list_ = self.heard, f"docker run --rm {self.ref} ls -R"
        package = "the packages that the service imports, where it looks for them"
        links = "npm ls --omit=dev   names them; which of them are links to a folder beside?"
        program = "the compiled program in the image, where CMD looks for it"
        data = "each file that the program reads when it starts"
        lacks = (
            ("missing-package", r"Cannot find package '[^']+'", package, links),
            ("missing-program", r"Cannot find module '[^']+'", program, f"{list_}   {_STAGE}"),
            ("missing-data", r"ENOENT: no such file.* '[^']+'", data, f"{list_}   {_STAGE}"),
        )
        for cause, error, want, try_ in lacks:
            found = re.search(error, heard.log) if isinstance(heard, Ended) else None
            if found:
                return Wrong(cause, saw=f"the container ended: {found[0]}", want=want, try_=try_)
        if not isinstance(heard, Reply):
            return no_reply(heard, self.ref, _PORT, f"the service, listening on {_PORT}")
        got = {name: heard.field(name) for name in self.wanted}
        if got == self.wanted:
            return None
        saw = f"asked for {self.query} it answers {_fields(got)}"
        want = f"{_fields(self.wanted)}, as src/server.ts computes it"
        try_ = f"is it the compiled source that runs?   {list_}"
        return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=try_)


def _fields(answer: Mapping[str, str]) -> str:
    return ", ".join(f"{name} `{value}`" for name, value in answer.items())


def _late(due: date) -> str:
    return "yes" if due <= datetime.now(UTC).date() else "no"


def _days(draw: Draw) -> list[date]:
    """Draw a day that is long over and one that is far ahead."""
    firsts = (date(2021, 1, 1), date(2040, 1, 1))
    return [first + timedelta(draw.number(0, 1500)) for first in firsts]


# -- slim-images-1

_RUNS_ONLY = "no development package, no compiler and no TypeScript source, in any layer"
_DEVELOPMENT = ("@types/luxon", "@types/node", "typescript", "undici-types")
_COMPILER = b"Type '{0}' is not assignable to type '{1}'."
"""One of the compiler's messages, by which it is found under any name."""
_SOURCES = (b"const holidays: string[]", b"due: string | null;")
"""What compiling leaves out of each source."""
_HOLIDAYS = ((1, 1), (1, 2), (8, 1), (12, 25), (12, 26))


@dataclass(frozen=True)
class Shipped(Facts):
    """What due:lab holds above the base."""

    at_start: bool  # whether it is the start state's image
    beside: str  # another tag of `due`, empty if there is none
    packages: tuple[Held, ...]  # files of what only a build needs
    sources: tuple[Held, ...]
    size: int
    files: int
    cache: int  # bytes of npm's

    def wrong(self) -> Wrong | None:
        if self.at_start:
            saw, want = "due:lab is still the image of the start state", "an image of that name"
            saw += f"; there is also `{self.beside}`" if self.beside else ""
            try_ = "docker images due   then: docker build --tag due:lab slim-images-1"
            return Wrong("unchanged", saw=saw, want=f"{want} without what built it", try_=try_)
        if not self.packages and not self.sources:
            return None
        # What a container sees is easier to find.
        first = min((*self.packages, *self.sources), key=lambda held: held.hidden)
        try_ = "docker history --no-trunc due:lab   which step brought it, and in which stage?"
        if first.hidden:
            return _kept_below(first, _RUNS_ONLY)
        if first in self.sources:
            saw = f"the image has the source /{first.path}"
            return Wrong("sources", saw=saw, want=_RUNS_ONLY, try_=try_)
        if first.path.startswith("usr/local/lib/node_modules/"):
            saw = f"`{first.by}` installs the compiler for all: /{first.path}"
            try_ = "docker run --rm due:lab npm ls --global   what is compiled while it runs?"
            return Wrong("compiler-installed", saw=saw, want=_RUNS_ONLY, try_=try_)
        cause = "copied-whole" if first.by.startswith("COPY") else "development-packages"
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
            lab.serves("due:lab", _PORT, _due)
        size = image.size(lab, "due:lab").above
        held = image.contents(lab, "due:lab", (_COMPILER, *_SOURCES))
        yield Shipped(
            lab.image("due:lab").id == lab.recall("made"),
            lab.other_tags("due:lab"),
            (*held.named(_is_development), *held.having(_COMPILER)),
            (*held.named(_is_source), *(one for text in _SOURCES for one in held.having(text))),
            size,
            len(held.seen),
            sum(f.size for path, f in held.seen.items() if path.startswith("root/.npm/")),
        )


def _due(served: Served, draw: Draw) -> Iterator[Facts]:
    days = _days(draw)
    for day in (*days, *(date(days[1].year, *one) for one in _HOLIDAYS)):
        due, many = day, draw.number(1, 400)
        while due.weekday() > 4 or (due.month, due.day) in _HOLIDAYS:
            due += timedelta(1)
        query = f"/?from={day - timedelta(many)}&days={many}"
        yield Due("due:lab", query, {"due": str(due), "late": _late(due)}, served.hear(query))


def _is_development(path: str) -> bool:
    return any(f"node_modules/{name}/" in path for name in _DEVELOPMENT)


def _is_source(path: str) -> bool:
    ours = "node_modules/" not in path or "node_modules/@due/" in path
    return ours and path.endswith(".ts") and not path.endswith(".d.ts")


def _kept_below(held: Held, want: str) -> Wrong:
    saw = f"a later step deletes /{held.path}; the layer of `{held.by}` still has it"
    try_ = "docker history   did the image become smaller by the step that deletes?"
    return Wrong("kept-below", saw=saw, want=want, try_=try_)


# -- slim-images-2

_LANGUAGES = {"de": "Guten Tag", "fr": "Bonjour", "it": "Buongiorno"}
_MOST_BYTES = 100_000
_CLEAN = "no .env file of any kind, no node_modules, no .git and no log, from any folder"
_BUILT_AFTER = "an image built after your change"
_BUILD_AGAIN = "docker build --tag welcome:lab slim-images-2"
_STAY = (".env", "api/.env", "api/debug.log", "node_modules", "api/node_modules", ".git")


@dataclass(frozen=True)
class Greeted(Facts):
    """What welcome:lab, or the image of a copy of its folder, said in a language."""

    lang: str
    wanted: str  # empty for a language that there is not
    later: bool  # whether the language was added to the copy
    heard: Heard

    def wrong(self) -> Wrong | None:
        heard = self.heard
        if not isinstance(heard, Reply):
            how = f": {heard.line}" if isinstance(heard, Ended) else f" on port {_PORT}"
            saw, want = f"the container does not answer{how}", "the service of api/server.mjs"
            try_ = "docker run --rm welcome:lab ls -R /app   is all there that it needs?"
            timed = not isinstance(heard, Ended)
            return Wrong("does-not-run", saw=saw, want=want, try_=try_, timed=timed)
        which = f"the language `{self.lang}`"
        which += ", which a copy of your folder has," if self.later else ""
        saw = f"asked for {which} it answers {heard.status}: {heard.body[:60]}"
        if not self.wanted and heard.status != 404:
            want = "status 404 for a language that there is not, as api/server.mjs answers"
            try_ = "did you change api/server.mjs?   course reset slim-images-2   brings it back"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=try_)
        if not self.wanted or heard.field("text") == self.wanted:
            return None
        cause = "new-file-missing" if self.later else "needed-missing"
        want = "every file of api/lang in the image, also one that comes later"
        try_ = "docker run --rm welcome:lab ls api/lang   kept out, or not let in?"
        return Wrong(cause, saw=saw, want=want, try_=try_)


@dataclass(frozen=True)
class Plant:
    """What a colleague may have in the folder and must not come through.

    Args:
        cause: where it does.
        name: its path in the folder.
        what: what is in the image then.
        try_: where to look next.
    """

    cause: str
    name: str
    what: str
    try_: str


@dataclass(frozen=True)
class Sent(Facts):
    """What a build of a colleague's folder sent, and what the learner's image and folder hold."""

    at_start: bool  # whether welcome:lab is the start state's image
    leaks: tuple[tuple[Plant, Held], ...]  # what of a colleague's is in a layer, the worst first
    sent: int  # bytes
    own: tuple[Held, ...]  # what of the learner's is in a layer of welcome:lab
    gone: tuple[str, ...]  # files of a developer that the learner's folder has no more
    size: int  # bytes of that folder

    def wrong(self) -> Wrong | None:
        if self.at_start:
            saw = "welcome:lab is still the image of the start state, secrets and all"
            return Wrong(_STALE_IMAGE, saw=saw, want=_BUILT_AFTER, try_=_BUILD_AGAIN)
        for plant, held in self.leaks[:1]:
            if held.hidden:
                return _kept_below(held, _CLEAN)
            if plant.name in (".env", "api/.env") and "api/.env" in self.gone:
                saw = "your own folder has no secrets any more; a copy of it with a colleague's "
                saw += f"{plant.name} has it in the image: /{held.path}"
                want = "a folder that may hold such files, and a build that leaves them out"
                try_ = "what would a build elsewhere send?   cat slim-images-2/.dockerignore"
                return Wrong("only-here", saw=saw, want=want, try_=try_)
            cause = "root-secret" if plant.name == ".env" else plant.cause
            saw = f"{plant.what} in the image: /{held.path}"
            return Wrong(cause, saw=saw, want=_CLEAN, try_=plant.try_)
        if self.sent >= _MOST_BYTES:
            saw = f"the image is clean, and the build sent {_kb(self.sent)} of a colleague's folder"
            want = f"less than {_kb(_MOST_BYTES)} sent: what is not sent cannot leak"
            try_ = "docker build --progress=plain … 2>&1 | grep 'transferring context'"
            return Wrong("still-sent", saw=saw, want=want, try_=try_)
        for held in self.own[:1]:
            saw = f"your folder is mended; welcome:lab was built before and has /{held.path}"
            return Wrong(_STALE_IMAGE, saw=saw, want=_BUILT_AFTER, try_=_BUILD_AGAIN)
        if self.gone:
            want = "a developer's files in the folder, and out of what a build sends"
            try_ = "course reset slim-images-2   brings them back, and saves what you have first"
            saw = f"your folder has no {self.gone[0]} any more"
            return Wrong("files-gone", saw=saw, want=want, try_=try_)
        return None

    def notes(self) -> Iterator[str]:
        yield f"a colleague's build sent {_kb(self.sent)}"
        yield f"your folder holds {self.size / 1e6:.1f} MB"


def _kb(count: int) -> str:
    return f"{count / 1e3:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"


@exercise("slim-images-2", image="welcome:lab", start_cause=_STALE_IMAGE)
class ContextSendsNoSecrets:
    """Break-it: a .dockerignore that reads like a .gitignore, and does not work like one."""

    def begin(self, lab: Lab) -> None:
        """Put secrets, packages and a history around the service, as on a working day."""
        git = ["git", "-C", lab.folder()]
        dump = lab.folder() / "dump.sql"
        dump.write_bytes(os.urandom(2_000_000))
        lab.run(*git, "init", "--quiet", "--initial-branch=main")
        lab.run(*git, "add", "--all")
        lab.run(*git, "commit", "--quiet", "--message", "welcome, with a dump")
        dump.unlink()  # the folder has it no more, the history has
        lab.run(*git, "commit", "--quiet", "--all", "--message", "no dump")
        secret = f"throw-away-{secrets.token_hex(12)}"
        lab.remember("secret", secret)
        lab.write(".git/description", f"the history of {secret}\n")
        lab.write(".env", f"DEPLOY_TOKEN={secret}\n")
        lab.write("api/.env", f"DATABASE_PASSWORD={secret}\n")
        lab.write("api/debug.log", f"connecting with {secret}\n" * 50)
        for package in ("node_modules/esbuild", "api/node_modules/sharp"):
            lab.write(f"{package}/package.json", f'{{"description": "built with {secret}"}}\n')
            (lab.folder() / package / "native.node").write_bytes(os.urandom(3_000_000))

    def observe(self, lab: Lab) -> Observation:
        """Build a copy of the folder as a colleague may have it, and look for what leaks."""
        at_start = lab.image("welcome:lab").id == lab.recall("made")
        with lab.observe("two starts of welcome:lab"):
            lab.serves("welcome:lab", _PORT, partial(_greeted, _LANGUAGES, False))
        secret, files = lab.recall("secret").encode(), list(lab.folder().rglob("*"))
        # A colleague's packages and history are planted; the learner's own may be gigabytes.
        with lab.copy(without=("node_modules", ".git")) as copy:
            later = {f"x{lab.draw.word()}": f"Hello {lab.draw.word()}"}
            for lang, greeting in later.items():
                copy.write(f"api/lang/{lang}.json", json.dumps({"greeting": greeting}))
            planted = _plant(copy, lab.draw)
            with lab.observe("a build of a colleague's folder"):
                sent = copy.build().context_bytes
            held = image.contents(lab, copy.tag, tuple(planted))
            yield Sent(
                at_start,
                tuple(
                    (plant, one)
                    for text, plant in planted.items()
                    for one in sorted(held.having(text), key=lambda held: held.hidden)
                ),
                sent,
                tuple(image.contents(lab, "welcome:lab", (secret,)).having(secret)),
                tuple(name for name in _STAY if not (lab.folder() / name).exists()),
                sum(file.stat().st_size for file in files if file.is_file()),
            )
            contract, once = partial(_greeted, later, True), "welcome:lab was started twice"
            with lab.observe("a start of the copy's image"):
                lab.serves(copy, _PORT, contract, once=once)


def _greeted(
    greetings: Mapping[str, str], later: bool, served: Served, draw: Draw
) -> Iterator[Facts]:
    for lang, greeting in {**greetings, f"y{draw.word()}": ""}.items():
        name = draw.word()
        wanted = f"{greeting}, {name}" if greeting else ""
        yield Greeted(lang, wanted, later, served.hear(f"/?lang={lang}&name={name}"))


def _plant(copy: Copy, draw: Draw) -> dict[bytes, Plant]:
    """Put secrets, packages, histories and logs into a copy; text → what it is, the worst first."""
    deep = "/".join(draw.word() for _ in range(draw.number(2, 5)))
    depth = "a pattern of .dockerignore begins at the context's root; `**/` means any folder"
    names = "which names does `.env*` match?"
    packages = "packages of the machine that builds are"
    history = "the history, with all that was ever committed, is"
    log = "a log of the machine that builds is"
    plan = (
        ("nested", ".env", "a secret is", depth),
        ("one-name", f".env.{draw.word()}", "a secret file of another name is", names),
        ("packages-sent", f"node_modules/{draw.word()}/index.js", packages, depth),
        ("history-sent", f".git/{draw.word()}", history, depth),
        ("logs-sent", f"{draw.word()}.log", log, depth),
    )
    planted = {}
    for cause, name, what, try_ in plan:
        for path in (name, f"api/{name}", f"{deep}/{name}"):
            text = f"planted-{secrets.token_hex(12)}".encode()
            copy.write(path, text + b"\n" + os.urandom(300_000 if name.count("/") else 0))
            planted[text] = Plant(cause, path, what, try_)
    return planted


# -- slim-images-3

_YESTERDAY, _TODAY = "yesterday's", "today's"
_OLD, _NEW = "till:yesterday", "till:lab"
_ENDS, _PRINT_WAIT = "it prints and ends", 30.0
_RUNTIME = start_files.path("slim-images-3.runtime", "Dockerfile")
_LOOK = "docker image ls --digests $(cat slim-images-3/runtime.txt)"


@dataclass(frozen=True)
class Rebuilt(Facts):
    """What a rebuild with --pull stands on after every tag of the base was moved."""

    replaced: bool  # whether till:yesterday is another image than at first
    no_base: str  # what the builder says of a base that it cannot pull; empty if it could
    tag: str  # the base's tag that it followed, empty if none
    before: Mapping[str, str]  # tag → the digest that it named before
    digest: str  # of yesterday's base
    retagged: bool  # whether till:lab is till:yesterday
    on: str  # whose base till:lab stands on

    def wrong(self) -> Wrong | None:
        if self.replaced:
            saw = "till:yesterday is another image now than the one whose receipts are on file"
            try_ = "course reset slim-images-3   gives it back; then mend the Dockerfile"
            return Wrong("yesterday-replaced", saw=saw, want=f"{_OLD} as it was", try_=try_)
        if self.no_base:
            saw = f"a rebuild with --pull finds no such base: {self.no_base}"
            want = "a base that another machine can pull too"
            try_ = "what does a name without a registry's address mean?   docker pull …"
            return Wrong(BASE_ONLY_HERE, saw=saw, want=want, try_=try_)
        if not self.tag:
            return None
        cause = "not-pinned" if self.tag == "latest" else "pinned-to-a-tag"
        saw = f"the check moved the base's tags; a rebuild with --pull followed `{self.tag}`"
        if self.retagged:
            cause = "retagged"
            saw = f"till:lab is till:yesterday under a second name; {saw}"
        elif self.before.get(self.tag) == self.digest:
            cause = "moved-back"
            saw = (
                f"`{self.tag}` in the registry names yesterday's base again, until it moves: {saw}"
            )
        elif self.tag == "latest" and self.on == _YESTERDAY:
            cause = "local-copy"
            saw = f"till:lab stands on the base that this machine has kept; {saw}"
        want = "a rebuild on yesterday's base, wherever tags go"
        return Wrong(cause, saw=saw, want=want, try_=f"{_LOOK}   which part of a name cannot move?")

    def notes(self) -> Iterator[str]:
        yield f"{len(self.before)} tags of the base moved; a rebuild with --pull followed none"
        yield "nobody moves this for you: a fix of the base is a new digest, which you write"


@dataclass(frozen=True)
class Printed(Facts):
    """What an image prints for amounts that are drawn."""

    ref: str  # till:lab, or empty for the rebuild
    on: str  # whose base it stands on
    wanted: str
    printed: str

    def wrong(self) -> Wrong | None:
        if self.printed == self.wanted:
            return None
        prints = f"prints {cut(self.printed, 120) or 'nothing'}"
        want = "a rebuild with all that the receipt of till:yesterday came from"
        if not self.ref and self.on == _TODAY:
            saw = "your pin does not move, and it names today's base"
            try_ = f"{_LOOK}   and which of these digests did the registry show you today?"
            return Wrong("todays-digest", saw=saw, want=want, try_=try_)
        if not self.ref and self.on != _YESTERDAY:
            saw = f"a rebuild stands on an image that is no release of this base, and {prints}"
            try_ = "docker history till:yesterday   what did the base bring beside Node?"
            return Wrong("another-base", saw=saw, want=want, try_=try_)
        if self.on != _YESTERDAY:
            saw = "your folder builds what prints yesterday's receipt; till:lab was built before"
            try_ = "docker build --pull --tag till:lab slim-images-3"
            want = "till:lab built from the folder as it is"
            return Wrong(_STALE_IMAGE, saw=saw, want=want, try_=try_)
        saw = f"{self.ref or 'a rebuild of slim-images-3'} {prints}"
        want = f"what till:yesterday prints: {cut(self.wanted, 120)}"
        try_ = "docker run --rm till:lab   and: is till.mjs as it was?"
        return Wrong("other-result", saw=saw, want=want, try_=try_)


@exercise("slim-images-3", makes=(_NEW,), image=_OLD, start_cause="no-image")
class RebuildIsYesterdays:
    """A base image whose tags have all moved since yesterday."""

    def begin(self, lab: Lab) -> None:
        """Release a base image twice under the same tags; this machine keeps the older one."""
        # One learner, one repository: several may share a registry.
        who = hashlib.sha256(str(paths.work().resolve()).encode()).hexdigest()[:6]
        base = Repository(lab.registry, f"runtime-{who}")
        name = f"{base.registry}/{base.name}"
        lab.remember("repository", base.name)
        moved_tags.forget(lab)
        lab.write("runtime.txt", f"{name}\n")
        lab.write("Dockerfile", lab.read("Dockerfile").replace("runtime:", f"{name}:"))
        for whose, version, node in (
            (_TODAY, "4.1.1", "node:24-slim"),
            (_YESTERDAY, "4.1.0", "node:20-slim"),
        ):
            lab.remember(whose, json.dumps(_release(lab, f"{name}:4.1", version, node)))
            lab.remember(f"{whose} digest", base.digest("4.1"))
            if whose == _TODAY:  # which this machine has not pulled
                lab.run("docker", "image", "rm", f"{name}:4.1")
        lab.run("docker", "tag", f"{name}:4.1", f"{name}:latest")
        for tag in ("4.1", "latest"):
            base.retag(tag, lab.recall(f"{_TODAY} digest"))

    def observe(self, lab: Lab) -> Observation:
        """Move every tag of the base in the registry, rebuild a copy with --pull, compare.

        The copy has till.mjs as it came: another one may print what it likes.
        """
        made, old, new = lab.recall("made"), lab.image(_OLD), lab.image(_NEW)
        on = _stands_on(lab, new)
        base = Repository(lab.registry, lab.recall("repository"))
        drawn = (f"{lab.draw.number(10**6, 10**7)}.5" for _ in range(3))
        amounts = {"AMOUNTS": ",".join(drawn)}
        to = lab.recall(f"{_TODAY} digest")
        with moved_tags.moved(lab, base, to) as before, lab.copy() as copy:
            copy.write("till.mjs", start_files.original(lab.id, "till.mjs"))
            no_base = _rebuild(lab, copy)
            rebuilt = None if no_base else lab.docker.images.get(copy.tag)
            tag = (rebuilt.labels or {}).get(moved_tags.LABEL, "") if rebuilt else ""
            digest = lab.recall(f"{_YESTERDAY} digest")
            yield Rebuilt(old.id != made, no_base, tag, before, digest, new.id == made, on)
            wanted = _printed(lab, lab.starts(_OLD, _PORT, _ENDS, env=amounts, once=_ENDS))
            printed = _printed(lab, lab.starts(copy, _PORT, _ENDS, env=amounts, once=_ENDS))
            yield Printed("", _stands_on(lab, rebuilt), wanted, printed)
        printed = _printed(lab, lab.starts(_NEW, _PORT, _ENDS, env=amounts, once=_ENDS))
        yield Printed(_NEW, on, wanted, printed)


def _release(lab: Lab, ref: str, version: str, node: str) -> list[str]:
    """Build and push a release of the base image; return the digests of its layers."""
    with tempfile.TemporaryDirectory() as folder:
        release = {"version": version, "build": secrets.token_hex(6)}
        (Path(folder) / "release.json").write_text(json.dumps(release), encoding="utf-8")
        # One manifest and no index around it: its digest is the one that every tool shows.
        build = ["docker", "build", "--quiet", "--provenance=false", "--file", _RUNTIME]
        args = ["--build-arg", f"NODE={node}", "--build-arg", f"VERSION={version}"]
        lab.run(*build, *args, "--tag", ref, folder)
    lab.run("docker", "push", "--quiet", ref)
    return layers.ids(lab.docker.images.get(ref))


def _rebuild(lab: Lab, copy: Copy) -> str:
    """Build a copy with --pull; return what the builder says of a base that it cannot pull."""
    try:
        with lab.observe("a rebuild of a copy with --pull"):
            copy.build("--pull", "--no-cache")
    except Wrong as wrong:
        if wrong.cause == "no-base":
            return wrong.saw
        raise
    return ""


def _stands_on(lab: Lab, built: Any) -> str:
    ids = layers.ids(built)
    bases = {whose: json.loads(lab.recall(whose)) for whose in (_YESTERDAY, _TODAY)}
    return next((whose for whose, base in bases.items() if ids[: len(base)] == base), "another")


def _printed(lab: Lab, run: AbstractContextManager[Iterator[Served]]) -> str:
    """What an image prints until it ends; it is ended if it has not by itself."""
    with lab.observe("receipts are printed"), run as starts:
        (served,) = starts
        waiting.eventually(lambda: served.exit_code() is not None, wait=_PRINT_WAIT, pause=0.1)
        return served.log()


# -- slim-images-4

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
            return Wrong(_STALE_IMAGE, saw=saw, want=want, try_=try_)
        if isinstance(self.heard, Reply) and self.heard.field("edition") != self.edition:
            saw = "after a change of src/server.ts the rebuilt image does not have it"
            try_ = "docker build --no-cache slim-images-4   what does it copy?"
            want = "an image that is built from src/"
            return Wrong("not-from-source", saw=saw, want=want, try_=try_)
        if self.moved >= _MOST_MOVED_MB:
            saw = f"after one line changed in src/, a push moves {self.moved:.1f} MB of new layers"
            want = f"less than {_MOST_MOVED_MB:.0f} MB: what did not change stays in a layer of its"
            try_ = "docker history invoice:release   what else is in the program's layer?"
            return Wrong("moves-much", saw=saw, want=f"{want} own", try_=try_)
        return None

    def notes(self) -> Iterator[str]:
        yield f"above the base {self.own:.1f} MB; one changed line moves {self.moved * 1e3:.0f} kB"


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
            lab.serves(_RELEASE, _PORT, partial(_invoice, _RELEASE))
        name, edition = "src/server.ts", lab.draw.word()
        with lab.copy() as copy:
            with lab.observe("a build of a copy of your folder, and one after a changed line"):
                copy.build(wait=_INSTALL_WAIT)
                steps = image.steps(lab, copy.tag)
                before = layers.digests(lab.docker, [copy.tag])
                source = build_errors.decode(copy.folder / name, f"{lab.id}/{name}", lab.id)
                line = f'const edition = "{edition}";'
                edit = {name: re.sub(r"(?m)^const edition = .*$", line, source)}
                copy.rebuild(edit, wait=_INSTALL_WAIT)
            with lab.observe("a look into the layers that changed"):
                new = layers.read(lab.docker, copy.tag, known=before)
            moved = sum(layer.size for layer in new) / 1e6
            contract = partial(_invoice, f"$(docker build -q {lab.id})")
            start = lab.starts(copy, _PORT, contract, once=f"{_RELEASE} was started twice")
            with lab.observe("a start of the copy's image"), start as starts:
                for served in starts:
                    heard = served.hear("/")
                    yield Released(own, image.steps(lab, _RELEASE), steps, moved, edition, heard)


def _invoice(ref: str, served: Served, draw: Draw) -> Iterator[Facts]:
    for day in _days(draw):
        code, many = draw.number(0, 9999), draw.number(1, 400)
        holiday = _holiday(code, day.year)
        for due in (day, holiday):
            wanted = due + timedelta(due == holiday)
            query = f"/?from={due - timedelta(many)}&days={many}&code={code:04}"
            fields = {"due": str(wanted), "late": _late(wanted)}
            yield Due(ref, query, fields, served.hear(query))


def _holiday(code: int, year: int) -> date:
    """The holiday of a post code in a year, as tools/holidays.mjs computes it."""
    return date(year, 1, 1) + timedelta((code * 37 + (year - 2020) * 11) % 360)
