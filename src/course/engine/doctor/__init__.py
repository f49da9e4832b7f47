"""What is wrong with this machine, and the one thing to do.

A finder looks at one thing and says what it saw. It leaves nothing behind, is over in seconds, and
is given a `Machine`, so that a test can give it one with the fault in it.
"""

from __future__ import annotations

import threading
import time

from course.engine.doctor import clock, cluster, docker, hardware, network, trust
from course.engine.doctor.app import app
from course.engine.doctor.finding import DEADLINE, Finder, Finding, Machine

__all__ = ["FINDERS", "Finding", "Machine", "app", "examine"]

FINDERS: dict[str, Finder] = {
    "processor": hardware.processor,
    "memory": hardware.memory,
    "disk": hardware.disk,
    "cgroups": hardware.cgroups,
    "inotify": hardware.inotify,
    "Docker": docker.engine,
    "Docker's memory": docker.memory,
    "Docker's package": docker.snap,
    "the cluster's name": docker.cluster,
    "the registry's name": docker.registry,
    "images": docker.architecture,
    "what the course runs on": cluster.parts,
    "the cluster's parts": cluster.version,
    "ports": network.ports_of_the_course,
    "loopback": network.loopback,
    "proxy": network.proxy,
    "routes": network.routes,
    "certificates": trust.certificates,
    "certificates in containers": trust.in_containers,
    "clock": clock.clock,
    "Docker's clock": clock.of_docker,
}
"""Every finder, by what it looks at."""


def examine(machine: Machine | None = None) -> list[Finding]:
    """Look at everything that is known to go wrong, side by side.

    Args:
        machine: what is looked at; this machine by default.

    Returns:
        The findings, in the order of `FINDERS`; a finder that has no answer within its
        deadline, or could not do its work, says so as a finding that tells nothing.
    """
    machine = machine or Machine()
    _ = machine.docker_info  # asked once, before everybody asks
    found: dict[str, list[Finding]] = {}
    threads = [
        threading.Thread(target=_look, args=(what, finder, machine, found), daemon=True)
        for what, finder in FINDERS.items()
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 2 * DEADLINE
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = f"no answer within {2 * DEADLINE:.0f} s"
    return [f for what in FINDERS for f in found.get(what, [Finding(what, None, late)])]


def _look(what: str, finder: Finder, machine: Machine, found: dict[str, list[Finding]]) -> None:
    try:
        found[what] = finder(machine)
    except Exception as error:
        # One finder that fails must not hide what the others found. Its message may hold what is
        # secret, e.g. an address with a password.
        found[what] = [Finding(what, None, f"could not be looked at: {type(error).__name__}")]
