"""dockerfile-3: what an install downloads again, and which user installs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from course.exercises.kit import guards
from course.exercises.kit.build_errors import named
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.node_service import Answered
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.verdict import EDIT_MISSING, LOCK_IGNORED, Wrong
from course.measure.builds import Build

_PORT = 3000
_TRIES = 2
"""Seen once in six runs, on a busy machine: npm finds nothing in a cache that it has filled."""
_LOCK, _PACKAGE = "package-lock.json", "package.json"


@dataclass(frozen=True)
class FirstInstall(Facts):
    """What a build did on an empty cache."""

    build: Build

    def wrong(self) -> Wrong | None:
        step = self.build.failed
        log = "\n".join(step.log) if step else ""
        by_root, _ = guards.refused_step(self.build, guards.ROOT)
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
    want = "no script of a package as root, and no package that belongs to root"
    return Wrong("install-as-root", saw=saw, want=want, try_=try_)


def _mounts_a_cache(instruction: str) -> bool:
    # The builder's own report of the step, not the learner's file.
    return bool(re.search(r"--mount=\S*type=cache", instruction))


@dataclass(frozen=True)
class Reinstall(Facts):
    """What a build did after a release, with all packages but one at dead addresses."""

    build: Build

    @property
    def mounted(self) -> bool:
        """Whether the install that failed had a cache mounted."""
        return self.build.failed is not None and _mounts_a_cache(self.build.failed.instruction)

    def wrong(self) -> Wrong | None:
        step = self.build.failed
        if not step or not re.search(r"npm error (?:code E)?40\d\b", "\n".join(step.log)):
            return None
        saw = f"after a release {named(step)} asks the registry for a package that it had before"
        if self.mounted:
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
                cause = EDIT_MISSING if name == "greet" else LOCK_IGNORED
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
            number, moves = int(copy.nonce, 16), lab.draw.one_of(list(published()))
            pick = lab.draw.number(0, 1)
            for again in range(_TRIES):
                pins = {name: list(known)[pick] for name, known in published().items()}
                first = copy.edit(_release(f"1.1.{number + again}", pins), *own)
                yield FirstInstall(first)
                copy.accept(first)
                kept = next(f"{name}-{version}" for name, version in pins.items() if name != moves)
                pins[moves] = list(published()[moves])[-1]
                wanted = {"greet": f"1.2.{number + again}", **pins}
                edits = _release(wanted["greet"], pins)
                edits[_LOCK] = edits[_LOCK].replace(f"{kept}.tgz", f"{kept}-{copy.nonce}.tgz")
                second = copy.edit(edits, *own)
                downloads = Reinstall(second)
                if not (downloads.mounted and downloads.wrong()):
                    break
            yield downloads
            copy.accept(second, edits)

            def contract(served: Served, _: Draw) -> Iterator[Facts]:
                heard = served.hear("/")
                yield Answered(lab.id, _PORT, "/", heard)
                held = {name: heard.field(name) for name in wanted}
                yield Holds(held, wanted, heard.field("owner"))

            lab.serves(copy, _PORT, contract)


def published() -> dict[str, dict[str, str]]:
    """Return package → version → checksum; none is the newest, so a lock file counts."""
    found: dict[str, dict[str, str]] = json.loads(
        original("dockerfile-3.releases", "published.json")
    )
    return found


def pin(package: dict[str, Any], lock: dict[str, Any], pins: Mapping[str, str]) -> None:
    """Write other versions of the dependencies into package files.

    Args:
        package: package.json.
        lock: package-lock.json.
        pins: each dependency → a version that is published.
    """
    for head in (package, lock["packages"][""]):
        head["dependencies"] = {name: f"^{version}" for name, version in pins.items()}
    for name, version in pins.items():
        address = f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz"
        about = {
            "version": version,
            "resolved": address,
            "integrity": published()[name][version],
        }
        lock["packages"][f"node_modules/{name}"] = about


def _release(number: str, pins: Mapping[str, str]) -> dict[str, str]:
    """Return the package files of a release of greet."""
    package, lock = (json.loads(original("dockerfile-3", name)) for name in (_PACKAGE, _LOCK))
    for head in (package, lock, lock["packages"][""]):
        head["version"] = number
    pin(package, lock, pins)
    package["scripts"] = {"preinstall": guards.script(guards.not_as_root("install"))}
    return {_PACKAGE: json.dumps(package), _LOCK: json.dumps(lock)}
