"""dockerfile-2: which Node a build accepts, and what serves on it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from course.exercises.kit import guards, node_service
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

_PORT = 8080
_NODE = 24
_LOCK, _PACKAGE = "package-lock.json", "package.json"
_PAGES = "pages"
_NPM_CODE = re.compile(r"npm error (?:code (E\w+)|Exit handler never called)")


@dataclass(frozen=True)
class Started(Facts):
    """How a container of the guide began."""

    again: str  # what it was kept from doing once more

    def wrong(self) -> Wrong | None:
        if self.again:
            saw = "each start of the container makes the pages"
            want = "the pages in the image, made while it is built"
            try_ = "which step of dockerfile-2/Dockerfile makes dist/? and what does CMD do?"
            return Wrong("pages-at-start", saw=saw, want=want, try_=try_)
        return None


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
    wanted: str  # a range that begins just past it

    def wrong(self) -> Wrong | None:
        if not self.build.error:
            saw = f'with "engines": {{"node": "{self.wanted}"}} the build goes on, on {self.node}'
            want = "a build that stops on a Node that package.json does not allow"
            try_ = "ls -A dockerfile-2   which file has the rule, and which step reads it?"
            return Wrong("engines-ignored", saw=saw, want=want, try_=try_)
        return None

    @property
    def told(self) -> bool:
        """Whether it stopped because of that, and not because a registry was away.

        A rule of the learner's own need not say why it stops; npm names its reason.
        """
        step = self.build.failed
        npm = _NPM_CODE.search("\n".join(step.log)) if step else None
        return bool(step) and (not npm or npm[1] == "EBADENGINE")

    def notes(self) -> Iterator[str]:
        yield f"it runs on Node {self.node}; `engines` of {self.wanted} stops the build"


@exercise("dockerfile-2", makes=("guide:lab",), start_cause="build-fails")
class GuideBuilds:
    """Break-it: a build without its tool, on an old Node, that does not see the team's rule."""

    def observe(self, lab: Lab) -> Observation:
        """Add a page to a copy, run its image, and ask for a Node just past the one it has."""
        with lab.observe("two builds of a copy, and two starts"), lab.copy() as copy:
            for name in (_PACKAGE, _LOCK, "server.mjs"):
                copy.write(name, original(lab.id, name))
            makes = original(lab.id, "tools/build.mjs")
            copy.write("tools/build.mjs", f"{guards.once(_PAGES)}\n{makes}")
            # Names that no list of today's pages knows, nor a pattern of them.
            names = [f"{first}{lab.draw.word()}" for first in ("a", "B", "1-")]
            copy.rebuild({f"pages/{name}.md": f"# {name} {copy.nonce}\n" for name in names})
            node, env = "", guards.variable(copy.nonce, _PAGES)

            def contract(served: Served, draw: Draw) -> Iterator[Facts]:
                nonlocal node
                heard = served.hear("/")
                yield Started(guards.refused(served.log(), copy.nonce))
                node = node or next(iter(node_service.versions(served)), heard.field("node"))
                yield Serves(heard, node, node_service.users(served))
                yield Answered(lab.id, _PORT, "/", heard)
                for name in names:
                    html = f"<h1>{name} {copy.nonce}</h1>"
                    yield Page(name, served.hear(f"/pages/{name}"), html)
                old = draw.one_of(("harbour", "hill"))
                yield Page(old, served.hear(f"/pages/{old}"), f"<h1>The {old}</h1>")

            lab.serves(copy, _PORT, contract, env=env)
            major, minor, *_ = [*node_service.numbers(node), _NODE, 0]
            # A rule that compares the major alone lets it pass, or one that knows `>=` alone.
            past = f"{major}.{minor + 1}"
            wanted = lab.draw.one_of((f"^{past}.0", f"~{past}.0", f"{past}.x"))
            package = json.loads(original(lab.id, _PACKAGE))
            package["engines"]["node"] = wanted
            copy.write(_PACKAGE, json.dumps(package))
            yield (refusal := Refusal(copy.attempt("--output=type=cacheonly"), node, wanted))
            if not refusal.told:
                copy.accept(refusal.build)
