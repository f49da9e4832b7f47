"""What the course runs on, once `course up` has made it: whether it works, and did lately."""

from __future__ import annotations

from course.core import environment
from course.core.names import ORDERS
from course.engine import up
from course.engine.doctor.finding import Finding, Machine
from course.measure import health


def parts(machine: Machine) -> list[Finding]:
    """Registry, node, API, DNS, gateway, service: stopped, unready, killed, or gone."""
    found = health.now(health.Commands(machine.runner, machine.variables))
    return [
        Finding(part.name, part.ok, part.saw, part.try_)
        for part in found
        if part.name != health.DOCKER  # which has a finder of its own
    ]


def version(machine: Machine) -> list[Finding]:
    """What of the cluster another version of the course made."""
    engine = environment.current()
    if engine is None or ORDERS not in engine.has:
        return []
    old = up.outdated(engine)
    if not old:
        return []
    saw = f"made by another version of the course: {', '.join(old)}"
    return [Finding("the cluster's parts", False, saw, "course up")]
