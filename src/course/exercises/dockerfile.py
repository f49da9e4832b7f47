"""Start states and checks of 02-dockerfile.

Each check builds a copy of the learner's folder, edits it with a fresh nonce and builds again. The
programs in the copy are the course's own, whatever the folder holds.

Here: which steps an edit redoes. Which Node a build accepts is in `required_node`, what an install
downloads again in `install_cache`, which of two orders costs less in `step_order`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from course.exercises import install_cache, required_node, step_order  # noqa: F401 - exercises 2 to 4
from course.exercises.kit import guards
from course.exercises.kit.copy import Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.node_service import Answered
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.verdict import EDIT_MISSING, LOCK_IGNORED, Wrong

_PORT = 3000
_LOCK, _PACKAGE = "package-lock.json", "package.json"
_INSTALL, _INDEX = "install", "index"
_VERSION = 'ms: createRequire(import.meta.url)("ms/package.json").version'


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
            npm = "npm error" in self.heard.log and "Missing script" not in self.heard.log
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
class Installed(Facts):
    """Which package an image of stops holds."""

    version: str
    wanted: str

    def wrong(self) -> Wrong | None:
        # Another program than the copy's does not say: that is told after an edit of the source.
        if self.version not in (self.wanted, "None"):
            saw = f"the image of a copy with another package-lock.json has ms {self.version}"
            want = f"ms {self.wanted}, as package-lock.json of the copy says"
            try_ = "which step puts node_modules into the image, and does it read the lock file?"
            return Wrong(LOCK_IGNORED, saw=saw, want=want, try_=try_)
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
        package, lock = (json.loads(original(lab.id, name)) for name in (_PACKAGE, _LOCK))
        # Packages that were installed elsewhere are those of the lock file that the learner has.
        pin = lab.draw.one_of(list(install_cache.published()["ms"]))
        install_cache.pin(package, lock, {"ms": pin})
        package["scripts"] = {"preinstall": guards.script(guards.once(_INSTALL))}
        server = original(lab.id, "src/server.mjs").replace("installed,", f"installed, {_VERSION},")
        stops = original(lab.id, "data/stops.txt").splitlines()
        with lab.observe("three builds of a copy, and three starts"), lab.copy() as copy:
            env = guards.variable(copy.nonce, _INSTALL, _INDEX)
            copy.write(_PACKAGE, json.dumps(package))
            guarded = f"{guards.once(_INDEX)}\n{original(lab.id, 'tools/index.mjs')}"
            copy.write("tools/index.mjs", guarded)
            copy.write(_LOCK, json.dumps(lock))
            copy.write("src/server.mjs", server)
            copy.build()

            def begins(served: Served, _: Draw) -> Iterator[Facts]:
                heard = served.hear("/about")
                commands = tuple(process.command for process in served.processes())
                # A shell may go on after the guard: it is looked for while the service runs, too.
                yield Started(heard, commands, guards.refused(served.log(), copy.nonce))
                yield Answered(lab.id, _PORT, "/about", heard)
                yield Installed(heard.field("ms"), pin)

            later = "the edited image is started twice"
            with lab.starts(copy, _PORT, begins, env=env, once=later, ends=later) as starts:
                for served in starts:
                    installed = served.hear("/about").field("installed")
            edition = f'export const edition = "{copy.nonce}";\n'
            source = {"src/server.mjs": f"// {copy.nonce}\n{server}", "src/edition.mjs": edition}
            yield from _edit(copy, "src/", source, _INSTALL, _INDEX)
            word = lab.draw.word() + copy.nonce
            # A stop is renamed: neither the number of lines nor the last one tells.
            stops[lab.draw.number(0, len(stops) - 2)] = f"{word} Square"
            data = {"data/stops.txt": "".join(f"{stop}\n" for stop in stops)}
            yield from _edit(copy, "data/stops.txt", data, _INSTALL)

            def contract(served: Served, draw: Draw) -> Iterator[Facts]:
                yield from begins(served, draw)
                about = served.hear("/about")
                now = about.field("installed")
                for asked in (word, draw.one_of(("hill", "lane", "station"))):
                    found = served.hear(f"/?word={asked}").field("stops")
                    wanted = [s for s in stops if asked in s.lower().split()]
                    edition = about.field("edition")
                    yield Stops(edition, copy.nonce, (installed, now), asked, found, str(wanted))

            lab.serves(copy, _PORT, contract, env=env)


def _edit(copy: Copy, what: str, edits: Mapping[str, str], *forbidden: str) -> Observation:
    build = copy.edit(edits, *guards.option(copy.nonce, *forbidden))
    yield Edited(what, *guards.refused_step(build, copy.nonce))
    copy.accept(build, edits)
