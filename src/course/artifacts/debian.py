"""Debian packages that the course needs on a machine where it installs Docker itself."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import urllib.parse
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from course.core import files, paths
from course.core.errors import CourseError
from course.core.process import Runner, default_runner
from course.core.report import Report

DOCKER = ("iptables", "tini", "procps", "kmod", "xz-utils", "pigz")
"""What dockerd calls."""
ASSEMBLE = ("gcc", "libc6-dev", "libseccomp-dev", "pkg-config", "mmdebstrap")
"""What the recipes in `airgap/` call."""
_INSTALL = ("install", "-y", "-qq", "--no-install-recommends")


def is_root_on_debian() -> bool:
    """Whether packages can be installed without asking anybody: root, on Debian or Ubuntu."""
    return (
        os.geteuid() == 0 and Path("/etc/debian_version").exists() and bool(shutil.which("apt-get"))
    )


def ensure(packages: Sequence[str], report: Report, *, runner: Runner | None = None) -> None:
    """Install the packages that are missing: from a bundle's, else from the machine's sources.

    Args:
        packages: names of Debian packages.
        report: told what is being done.
        runner: runs dpkg and apt-get.

    Raises:
        CourseError: some are missing and this user may not install them.
    """
    runner = runner or default_runner()
    missing = [p for p in packages if not _installed(p, runner)]
    if not missing:
        return
    command = f"apt-get install {' '.join(missing)}"
    if not is_root_on_debian():
        raise CourseError(
            f"missing on this machine: {', '.join(missing)}", "them installed", command
        )
    report(command, None)
    try_ = command
    if pool().exists():
        why = _install_from_pool(missing, runner)
        if not why:
            return
        report(f"the bundle's Debian packages are left: {why}", None)
        try_ += f"   (from the bundle: {why})"
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", *_INSTALL, *missing]
    if runner.run(argv, timeout=600, env=env, check=False).code != 0:
        # A fresh machine has no package lists, an old one has stale ones.
        runner.run(["apt-get", "update", "-qq"], timeout=300, try_=try_)
        runner.run(argv, timeout=600, env=env, try_=try_)


def assemble(report: Report, *, runner: Runner | None = None) -> None:
    """Install what the recipes in `airgap/` call, where that may be done without asking."""
    if is_root_on_debian():
        ensure(ASSEMBLE, report, runner=runner)


def release() -> str:
    """What packages are made for, e.g. `debian-12-x86_64`."""
    facts = platform.freedesktop_os_release()
    return f"{facts['ID']}-{facts.get('VERSION_ID', 'rolling')}-{platform.machine()}"


def pool() -> Path:
    """A folder of package files with the lists that Debian signed, as a bundle brings it."""
    return paths.cache() / "debian" / f"{release()}-signed"


def fetch(report: Report, *, runner: Runner | None = None) -> None:
    """Fill `pool()` with what a minimal machine of this release lacks to run Docker.

    It is a part of each archive that they come from, with that archive's own lists and their
    signature: so the other machine can tell that they are Debian's.

    Args:
        report: told what is being done.
        runner: runs apt-get.

    Raises:
        CommandError: the machine's package sources do not answer.
        CourseError: they are not signed.
    """
    if pool().exists():
        return
    runner = runner or default_runner()
    report(f"Debian packages for {release()}", None)
    with files.atomic_folder(pool()) as part:
        archives, lists = part.parent / "archives", part.parent / "lists"
        for folder in (archives, lists):
            (folder / "partial").mkdir(parents=True)
        # As if nothing were installed: what this machine has, another one may lack.
        empty = part.parent / "status"
        empty.touch()
        options = [f"Dir::State::status={empty}", f"Dir::Cache::archives={archives}"]
        # Lists of this moment, whole and as they were signed.
        options += [f"Dir::State::lists={lists}", "Acquire::GzipIndexes=false"]
        options += ["Acquire::Languages=none", "APT::Sandbox::User=root", *_NO_INDEX]
        apt = ["apt-get", *_words(options)]
        runner.run([*apt, "update", "-qq"], timeout=300, try_="apt-get update; then again")
        runner.run([*apt, *_INSTALL, "--download-only", *DOCKER], timeout=600)
        addresses = runner.run([*apt, *_INSTALL, "--print-uris", *DOCKER, *_AGAIN], timeout=60)
        listed = runner.run([*apt, "indextargets", "--format", _TARGET], timeout=60)
        targets = [line.split("|") for line in listed.stdout.splitlines()]
        for line in addresses.stdout.splitlines():
            address, name = line.split()[:2]
            file = archives / name
            _place(part, urllib.parse.unquote(address.strip("'")), file, targets)


_NO_INDEX = tuple(
    f"Acquire::IndexTargets::deb::{name}::DefaultEnabled=false"
    for name in ("Translations", "DEP-11", "DEP-11-icons", "DEP-11-icons-hidpi", "Contents-deb")
)
_AGAIN = ("--reinstall", "-o", "Dir::Cache::archives=/nonexistent/")
"""So that what has been downloaded is told as well."""
_TARGET = "$(CREATED_BY)|$(REPO_URI)|$(RELEASE)|$(METAKEY)|$(FILENAME)"


def _place(part: Path, address: str, file: Path, targets: Sequence[Sequence[str]]) -> None:
    """Put a package and the signed lists that name it where they are in its archive.

    Args:
        part: the pool to be.
        address: where the package is from.
        file: the package.
        targets: apt's lists, by `_TARGET`.
    """
    repositories = sorted({target[1] for target in targets})
    placed = False
    for kind, repository, suite, key, listed in targets:
        path = address.removeprefix(repository)
        if kind != "Packages" or path == address or f"\nFilename: {path}\n" not in _text(listed):
            continue
        root = part / str(repositories.index(repository))
        release = listed.removesuffix(key.replace("/", "_"))
        signed = [name for name in _SIGNED if Path(release + name).exists()]
        if not {"InRelease", "Release.gpg"} & set(signed):
            continue
        lists = root / "dists" / suite
        for source, dest in ((listed, lists / key), *((release + n, lists / n) for n in signed)):
            dest.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, dest)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, root / path)
        placed = True
    if not placed:
        raise CourseError(
            f"{address} is in no list that its archive signed",
            "packages that another machine can verify",
            "sources with a signature, in /etc/apt",
        )


_SIGNED = ("InRelease", "Release", "Release.gpg")


@cache
def _text(file: str) -> str:
    return Path(file).read_text()


def _sources(of: Path) -> str:
    """A pool as apt's sources; each needs a signature by a key that this machine has.

    Args:
        of: the pool, by a path without a space: apt's check of signatures knows none.
    """
    keys = [file for place in _KEYS for file in sorted(Path("/").glob(place))]
    # Without any, apt's own choice, which is to trust nobody.
    by = f" signed-by={','.join(map(str, keys))}" if keys else ""
    lines = []
    for packages in sorted(of.glob("*/dists/**/binary-*/Packages")):
        component, arch = packages.parent.parent, packages.parent.name.removeprefix("binary-")
        suite = component.parent
        root = next(parent for parent in suite.parents if parent.name == "dists").parent
        words = (arch, suite.relative_to(root / "dists").as_posix(), component.name)
        if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9./_-]*", word) for word in words):
            continue  # a name that would write another line
        lines.append(f"deb [arch={arch}{by}] file:{root} {words[1]} {words[2]}\n")
    return "".join(lines)


_KEYS = (
    "etc/apt/trusted.gpg.d/*.gpg",
    "etc/apt/trusted.gpg.d/*.asc",
    "etc/apt/trusted.gpg",
    "usr/share/keyrings/debian-archive-keyring.[gp][gp][gp]",
    "usr/share/keyrings/ubuntu-archive-keyring.[gp][gp][gp]",
)
"""The keys that a machine trusts for its archive; those that its sources name for others do not
count. A company's mirror that signs anew has its key in the first."""


def _install_from_pool(packages: Sequence[str], runner: Runner) -> str:
    """Install packages from the pool alone.

    Returns:
        Why they could not be; empty if they were.
    """
    with tempfile.TemporaryDirectory(prefix="course-apt-") as temporary:
        source = Path(temporary) / "pool.list"
        (Path(temporary) / "pool").symlink_to(pool())
        source.write_text(_sources(Path(temporary) / "pool"))
        lists = Path(temporary) / "lists"
        (lists / "partial").mkdir(parents=True)
        options = [f"Dir::Etc::sourcelist={source}", "Dir::Etc::sourceparts=/dev/null"]
        # The cache may lie where apt's own user cannot read.
        options += [f"Dir::State::lists={lists}", "APT::Sandbox::User=root"]
        # Not over the machine's own index of packages.
        options += ["Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="]
        options += ["Acquire::Languages=none", *_NO_INDEX, *_VERIFIED]
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], [*_INSTALL, *packages]):
            argv = ["apt-get", *_words(options), *words]
            done = runner.run(argv, timeout=600, env=env, check=False)
            if done.code != 0:
                said = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
                return " ".join(said[:1] or done.stderr.splitlines()[-1:]) or "apt-get failed"
    return ""


_VERIFIED = (
    "Acquire::AllowInsecureRepositories=false",
    "Acquire::AllowWeakRepositories=false",
    "APT::Get::AllowUnauthenticated=false",
    # The one form of a list that is there, and that is kept.
    "Acquire::IndexTargets::deb::Packages::CompressionTypes=uncompressed",
    "Acquire::GzipIndexes=false",
    # A bundle may be older than the week for which a signature of updates counts.
    "Acquire::Check-Valid-Until=false",
)
"""Whatever this machine's own settings allow."""


def _words(options: Sequence[str]) -> list[str]:
    return [word for option in options for word in ("-o", option)]


def _installed(package: str, runner: Runner) -> bool:
    done = runner.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        timeout=30,
        check=False,
    )
    return done.stdout.strip() == "installed"
