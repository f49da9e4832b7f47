"""A service on Node, built from a copy: what it answers, and what serves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course.exercises.kit.facts import Facts
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.verdict import WRONG_ANSWER, Wrong

if TYPE_CHECKING:
    from course.exercises.kit.served import Served

_MISSING = re.compile(r"(?:Cannot find (package|module)|ENOENT: [^']*) '([^']+)'")
_VERSION = re.compile(r"v\d{1,4}\.[\w.-]{1,40}")


@dataclass(frozen=True)
class Answered(Facts):
    """What came back where the program of the folder answers with an object.

    Args:
        id: the exercise.
        port: where it listens.
        path: what was asked for.
        heard: what came back.
    """

    id: str
    port: int
    path: str
    heard: Heard

    def wrong(self) -> Wrong | None:
        """Say that a package or a file is missing, that nothing answers, or another program."""
        heard, image = self.heard, f"$(docker build -q {self.id})"
        missing = _MISSING.search(heard.log) if isinstance(heard, Ended) else None
        if missing and missing[1] and not missing[2].startswith("/"):
            saw = f"the container ends: it cannot find the package {missing[2]}"
            want = "the dependencies in the image, installed by a step of it"
            try_ = f"docker run --rm {image} ls node_modules"
            return Wrong("packages-missing", saw=saw, want=want, try_=try_)
        if missing:
            saw = f"the container ends: it cannot find {missing[2]}"
            want = "every file that the program reads, where it reads it"
            try_ = f"docker run --rm {image} ls -R --ignore=node_modules"
            return Wrong("file-missing", saw=saw, want=want, try_=try_)
        if not isinstance(heard, Reply):
            return no_reply(heard, image, self.port, f"the service, listening on {self.port}")
        if not heard.body.startswith("{"):
            saw = f"GET {self.path} answers {heard.status}: {heard.body[:80]}"
            want = "the answer of the program in this folder"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_="which program does CMD start?")
        return None


def versions(served: Served) -> tuple[str, ...]:
    """Return the Nodes that run, as they say themselves, the oldest first; none if none does."""
    said = (text for text in served.ask_programs("--version") if _VERSION.fullmatch(text))
    return tuple(sorted(said, key=numbers))


def numbers(version: str) -> list[int]:
    """Return the numbers of a version."""
    return [int(number) for number in re.findall(r"\d+", version)]


def users(served: Served) -> frozenset[int]:
    """Return who Node runs as, by numbers; where no process is called `node`, who all run as."""
    running = served.processes()
    nodes = [p for p in running if p.command.partition(" ")[0].rpartition("/")[2] == "node"]
    return frozenset(process.uid for process in nodes or running)
