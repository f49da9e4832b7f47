"""A lab whose engine has one image and one service, and what a right answer lets a check see."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from course.exercises.kit import exercise
from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import Facts
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.starts import keeps


class ImageLab(Lab):
    """A lab whose engine has one image and one service, in a folder that is a real one."""

    hear: Callable[[str], Heard]
    facts: dict[str, str]
    commands: list[list[str]]
    made: Any

    def __init__(self, id_: str, hear: Callable[[str], Heard] = lambda _: Reply(200, "{}")) -> None:
        super().__init__(id_)
        self.hear, self.facts, self.commands = hear, {"made": "sha256:start"}, []
        self.tag, self.nonce = "course-check:1", "n"
        self.built = SimpleNamespace(id="sha256:mine", labels={}, attrs={"RootFS": {}})

    @property
    def docker(self) -> Any:
        return SimpleNamespace(images=SimpleNamespace(get=lambda _: self.built))

    @property
    def registry(self) -> str:
        return "localhost:5001"

    def image(self, ref: str) -> Any:
        return self.built

    def other_tags(self, ref: str) -> str:
        return ""

    def remember(self, name: str, value: str) -> None:
        self.facts[name] = value

    def recall(self, name: str) -> str:
        return self.facts[name]

    def run(self, *argv: object, wait: float = 0, check: bool = True) -> str:
        self.commands.append([str(word) for word in argv])
        git = subprocess.run if argv[0] == "git" else lambda *_, **__: None
        who = [
            f"GIT_{role}_{what}=a@b"
            for role in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        ]
        git(["env", *who, *self.commands[-1]], check=True)
        return ""

    @contextmanager
    def starts(self, image: Any, port: int, contract: Any, **more: Any) -> Iterator[Any]:
        served: Any = SimpleNamespace(hear=self.hear, exit_code=lambda: 0, log=lambda: "a receipt")
        keeps(self, contract, served)
        yield iter([served])

    @contextmanager
    def copy(self, *_: object, **__: object) -> Iterator[Any]:
        copy: Any = SimpleNamespace(folder=self.folder(), tag=self.tag, nonce=self.nonce)
        copy.files, copy.edits = {}, {}
        copy.write = lambda name, content: copy.files.update({name: content})
        copy.build = lambda *_, **__: SimpleNamespace(context_bytes=2_000)
        copy.rebuild = lambda edits, **__: copy.edits.update(edits)
        self.made = copy
        yield copy


def begin(lab: ImageLab) -> ImageLab:
    """Set an exercise's start state, but for what is built."""
    code = exercise.find(lab.id)
    shutil.copytree(code.files, lab.folder())
    more = getattr(code._code, "begin", None)
    if more:
        more(lab)
    return lab


def seen(lab: ImageLab) -> list[Facts]:
    """All that a right answer lets an exercise see."""
    code = exercise.find(lab.id)
    found = list(code._code.observe(lab))
    assert [wrong for facts in found if (wrong := facts.wrong())] == []
    return found


class Served:
    """A service that answers by a function."""

    def __init__(self, answer: Callable[[str], Heard]) -> None:
        self.hear = answer


def broken(contract: Callable[..., Iterator[Facts]], answer: Callable[[str], Heard]) -> set[str]:
    """The causes for which a contract refuses a service, with requests of several seeds."""
    served: Any = Served(answer)
    seen = [facts.wrong() for seed in range(20) for facts in contract(served, Draw(seed))]
    assert seen
    return {wrong.cause for wrong in seen if wrong}


def files(id_: str) -> Path:
    """The files that an exercise begins with."""
    return exercise.find(id_).files
