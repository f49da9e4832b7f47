"""dockerfile-2: which Node a build accepts, and what serves on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from course.exercises.kit import node_service
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
        log = "\n".join(self.build.failed.log) if self.build.failed else ""
        return self.wanted in log or "engine" in log.lower()

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
                yield Answered(lab.id, _PORT, "/", heard)
                yield Page(word, served.hear(f"/pages/{word}"), html)
                old = draw.one_of(("harbour", "hill"))
                yield Page(old, served.hear(f"/pages/{old}"), f"<h1>The {old}</h1>")

            lab.serves(copy, _PORT, contract)
            major, minor, *_ = [*node_service.numbers(node), _NODE, 0]
            wanted = f"{major}.{minor + 1}.0"  # a rule that compares the major alone lets it pass
            package = json.loads(original(lab.id, _PACKAGE))
            package["engines"]["node"] = f">={wanted}"
            copy.write(_PACKAGE, json.dumps(package))
            yield (refusal := Refusal(copy.attempt("--output=type=cacheonly"), node, wanted))
            if not refusal.told:
                copy.accept(refusal.build)
