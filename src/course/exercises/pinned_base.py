"""slim-images-3: a rebuild gets yesterday's base image, wherever its tags have moved."""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course.core import paths, waiting
from course.core.text import cut
from course.exercises.kit import moved_tags, start_files
from course.exercises.kit.copy import Copy
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import BASE_ONLY_HERE, STALE_IMAGE, Wrong
from course.measure import layers
from course.measure.registry_client import Repository

_PORT = 3000
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
            return Wrong(STALE_IMAGE, saw=saw, want=want, try_=try_)
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
