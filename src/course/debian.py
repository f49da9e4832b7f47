"""Debian packages that the course needs on a machine where it installs Docker itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from course.errors import CourseError
from course.run import Runner, runner
from course.steps import Report

DOCKER = ("iptables", "tini", "procps", "kmod", "xz-utils", "pigz")
"""What dockerd calls."""
ASSEMBLE = ("gcc", "libc6-dev", "libseccomp-dev", "pkg-config", "mmdebstrap")
"""What the recipes in `airgap/` call."""


def is_root_on_debian() -> bool:
    """Whether packages can be installed without asking anybody: root, on Debian or Ubuntu."""
    return (
        os.geteuid() == 0 and Path("/etc/debian_version").exists() and bool(shutil.which("apt-get"))
    )


def ensure(packages: Sequence[str], report: Report, *, using: Runner | None = None) -> None:
    """Install the packages that are missing.

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
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    if using.run(argv, timeout=600, env=env, check=False).code != 0:
        # A fresh machine has no package lists, an old one has stale ones.
        using.run(["apt-get", "update", "-qq"], timeout=300)
        using.run(argv, timeout=600, env=env, try_=command)


def _installed(package: str, using: Runner) -> bool:
    done = using.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package],
        timeout=30,
        check=False,
    )
    return done.stdout.strip() == "installed"
