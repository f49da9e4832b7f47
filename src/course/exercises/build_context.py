"""slim-images-2: a build sends nothing of a developer's folder that the image does not need."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from course.exercises.kit import image
from course.exercises.kit.copy import Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.image import Held, kept_below
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import STALE_IMAGE, WRONG_ANSWER, Wrong

_PORT = 3000
_LANGUAGES = {"de": "Guten Tag", "fr": "Bonjour", "it": "Buongiorno"}
_MOST_BYTES = 100_000
_WEIGHT = _MOST_BYTES
"""Bytes of each of a colleague's files: one that is sent is seen by what the build sent."""
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
        which += ", which a copy of your folder has," if self.later and self.wanted else ""
        saw = f"asked for {which} it answers {heard.status}: {heard.body[:60]}"
        if not self.wanted or heard.field("text") == self.wanted:
            status, there_is = (200, "there is") if self.wanted else (404, "there is not")
            if heard.status == status:
                return None
            want = f"status {status} for a language that {there_is}, as api/server.mjs answers"
            try_ = "did you change api/server.mjs?   course reset slim-images-2   brings it back"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=try_)
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
    read: tuple[str, ...]  # which of a colleague's files it read, where this machine notes that
    own: tuple[Held, ...]  # what of the learner's is in a layer of welcome:lab
    gone: tuple[str, ...]  # files of a developer that the learner's folder has no more
    size: int  # bytes of that folder

    def wrong(self) -> Wrong | None:
        if self.at_start:
            saw = "welcome:lab is still the image of the start state, secrets and all"
            return Wrong(STALE_IMAGE, saw=saw, want=_BUILT_AFTER, try_=_BUILD_AGAIN)
        for plant, held in self.leaks[:1]:
            if held.hidden:
                return kept_below(held, _CLEAN)
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
            saw += f", {self.read[0]} among it" if self.read else ""
            want = f"less than {_kb(_MOST_BYTES)} sent: what is not sent cannot leak"
            try_ = "docker build --progress=plain … 2>&1 | grep 'transferring context'"
            return Wrong("still-sent", saw=saw, want=want, try_=try_)
        for held in self.own[:1]:
            saw = f"your folder is mended; welcome:lab was built before and has /{held.path}"
            return Wrong(STALE_IMAGE, saw=saw, want=_BUILT_AFTER, try_=_BUILD_AGAIN)
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


@exercise("slim-images-2", image="welcome:lab", start_cause=STALE_IMAGE)
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
                tuple(p.name for p in planted.values() if was_read(copy.folder / p.name))
                if sent >= _MOST_BYTES
                else (),
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
    deep = "/".join(draw.word() for _ in range(draw.number(8, 11)))  # nobody lists so many
    depth = "a pattern of .dockerignore begins at the context's root; `**/` means any folder"
    names = "which names does `.env*` match?"
    packages = "packages of the machine that builds are"
    history = "the history, with all that was ever committed, is"
    log = "a log of the machine that builds is"
    among = "what else than languages may be in api/lang?   and which line lets it in?"
    plan = (
        ("nested", ".env", "a secret is", depth),
        ("one-name", f".env.{draw.word()}", "a secret file of another name is", names),
        ("packages-sent", f"node_modules/{draw.word()}/package.json", packages, depth),
        ("history-sent", f".git/{draw.word()}", history, depth),
        ("logs-sent", f"{draw.word()}.log", log, depth),
    )
    planted = {}
    for cause, name, what, try_ in plan:
        for folder in ("", "api/", f"{deep}/", "api/lang/"):
            text = f"planted-{secrets.token_hex(12)}".encode()
            copy.write(f"{folder}{name}", text + b"\n" + os.urandom(_WEIGHT))
            look = among if folder == "api/lang/" else try_
            planted[text] = Plant(cause, f"{folder}{name}", what, look)
    return planted


def was_read(file: Path) -> bool:
    """Return whether a file was read since it was written; some file systems do not note that.

    Args:
        file: it.
    """
    about = file.stat()
    return about.st_atime_ns > about.st_mtime_ns
