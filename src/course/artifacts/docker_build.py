"""Build an image of the course's own from a folder, by the docker command."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from course.core import paths
from course.core.process import Runner
from course.core.report import Report

BUILD_WAIT = 900.0


def build(
    context: Path,
    tag: str,
    report: Report,
    runner: Runner,
    *,
    labels: Mapping[str, str] | None = None,
    args: Mapping[str, str] | None = None,
    target: str = "",
) -> None:
    """Build an image with `docker build`.

    Args:
        context: the build's context, with a Dockerfile.
        tag: the image's name.
        report: told each line of the build.
        runner: runs docker.
        labels: labels of the image.
        args: build arguments.
        target: the stage to build, if not the last.

    Raises:
        CommandError: the build failed, with its last lines.
    """
    argv: list[object] = ["docker", "build", "--progress=plain", "--tag", tag]
    for name, value in (labels or {}).items():
        argv += ["--label", f"{name}={value}"]
    for name, value in (args or {}).items():
        argv += ["--build-arg", f"{name}={value}"]
    if target:
        argv += ["--target", target]

    def line(text: str) -> None:
        report(f"{tag}: {text}", None)

    # A provenance record would make every image an index of two, which kind cannot load.
    env = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    runner.run([*argv, context], timeout=BUILD_WAIT, env=env, on_line=line)


def place(source: Path, dest: Path) -> None:
    """Put a file or folder into a build's context."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, dest, symlinks=True)
    else:
        shutil.copy(source, dest)


def scratch() -> Path:
    """A folder for contexts on the disk of the cache; /tmp may be memory."""
    folder = paths.cache() / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
