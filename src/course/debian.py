"""Debian packages that the course needs on a machine where it installs Docker itself."""

from __future__ import annotations

import gzip
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from course import fetch as files
from course import paths
from course.errors import CourseError
from course.run import Runner, runner
from course.steps import Report

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


def ensure(packages: Sequence[str], report: Report, *, using: Runner | None = None) -> None:
    """Install the packages that are missing: from a bundle's, else from the machine's sources.

    Args:
        packages: names of Debian packages.
        report: told what is being done.
        using: runs dpkg and apt-get.

    Raises:
        CourseError: some are missing and this user may not install them.
    """
    using = using or runner()
    missing = [p for p in packages if not _installed(p, using)]
    if not missing:
        return
    command = f"apt-get install {' '.join(missing)}"
    if not is_root_on_debian():
        raise CourseError(
            f"missing on this machine: {', '.join(missing)}", "them installed", command
        )
    report(command, None)
    if pool().exists() and _install_from_pool(missing, using):
        return
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", *_INSTALL, *missing]
    if using.run(argv, timeout=600, env=env, check=False).code != 0:
        # A fresh machine has no package lists, an old one has stale ones.
        using.run(["apt-get", "update", "-qq"], timeout=300)
        using.run(argv, timeout=600, env=env, try_=command)


def assemble(report: Report, *, using: Runner | None = None) -> None:
    """Install what the recipes in `airgap/` call, where that may be done without asking."""
    if is_root_on_debian():
        ensure(ASSEMBLE, report, using=using)


def release() -> str:
    """What packages are made for, e.g. `debian-12-x86_64`."""
    facts = platform.freedesktop_os_release()
    return f"{facts['ID']}-{facts.get('VERSION_ID', 'rolling')}-{platform.machine()}"


def pool() -> Path:
    """A folder of package files with an index, as a bundle brings it."""
    return paths.cache() / "debian" / release()


def fetch(report: Report, *, using: Runner | None = None) -> None:
    """Fill `pool()` with what a minimal machine of this release lacks to run Docker.

    Args:
        report: told what is being done.
        using: runs apt-get and dpkg-deb.

    Raises:
        CommandError: the machine's package sources do not answer.
    """
    if pool().exists():
        return
    using = using or runner()
    report(f"Debian packages for {release()}", None)
    pool().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=pool().parent) as temporary:
        part = Path(temporary) / "whole"
        (part / "partial").mkdir(parents=True)
        # As if nothing were installed: what this machine has, another one may lack.
        empty = Path(temporary) / "status"
        empty.touch()
        options = [f"Dir::State::status={empty}", f"Dir::Cache::archives={part}"]
        using.run(
            ["apt-get", *_words(options), *_INSTALL, "--download-only", *DOCKER],
            timeout=600,
            try_="apt-get update; then again",
        )
        shutil.rmtree(part / "partial")
        (part / "lock").unlink(missing_ok=True)
        for file in part.glob("*%3a*"):
            # apt's way to write a colon, which an address in its index cannot hold.
            file.rename(part / file.name.replace("%3a", "_"))
        index = "\n".join(_described(file, using) for file in sorted(part.glob("*.deb")))
        (part / "Packages.gz").write_bytes(gzip.compress(index.encode(), mtime=0))
        part.rename(pool())


def _described(file: Path, using: Runner) -> str:
    """A package's entry of the index."""
    control = using.run(["dpkg-deb", "--field", file], timeout=60).stdout.rstrip()
    facts = f"Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {files.digest(file)}\n"
    return f"{control}\n{facts}"


def _install_from_pool(packages: Sequence[str], using: Runner) -> bool:
    """Whether the packages could be installed from the pool alone."""
    with tempfile.TemporaryDirectory(prefix="course-apt-") as temporary:
        source = Path(temporary) / "pool.list"
        # Trusted: its files were verified by the bundle's checksums.
        source.write_text(f"deb [trusted=yes] file:{pool()} ./\n")
        lists = Path(temporary) / "lists"
        (lists / "partial").mkdir(parents=True)
        options = [f"Dir::Etc::sourcelist={source}", "Dir::Etc::sourceparts=/dev/null"]
        # The cache may lie where apt's own user cannot read.
        options += [f"Dir::State::lists={lists}", "APT::Sandbox::User=root"]
        # Not over the machine's own index of packages.
        options += ["Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache="]
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-qq"], [*_INSTALL, *packages]):
            argv = ["apt-get", *_words(options), *words]
            if using.run(argv, timeout=600, env=env, check=False).code != 0:
                return False
    return True


def _words(options: Sequence[str]) -> list[str]:
    return [word for option in options for word in ("-o", option)]


def _installed(package: str, using: Runner) -> bool:
    done = using.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        timeout=30,
        check=False,
    )
    return done.stdout.strip() == "installed"
