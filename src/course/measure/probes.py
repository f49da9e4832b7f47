"""A container's health checks over time, by Docker's clock: no wait of ours is in its seconds."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from course.measure.container import Container, Probe

CUT = -1
"""The exit code of a probe that did not end in time."""


@dataclass(frozen=True)
class Timeline:
    """What Docker has said of a container's health since it started.

    Args:
        status: `starting`, `healthy`, `unhealthy`, or `none` without a health check.
        streak: failures in a row that Docker counts, up to now.
        retries: so many of them make it unhealthy.
        timeout: after so many seconds Docker ends a probe.
        start_period: for so many seconds after its start failures do not count.
        running: whether the container runs; one that has ended is `unhealthy` for Docker.
        started: when it started, in seconds since 1970.
        probes: those that have ended, oldest first; of more than five between two looks the
            oldest are missing.
    """

    status: str
    streak: int
    retries: int
    timeout: float
    start_period: float
    running: bool
    started: float
    probes: tuple[Probe, ...]

    @property
    def good(self) -> int:
        """How many probes found it well."""
        return sum(probe.code == 0 for probe in self.probes)

    @property
    def failing(self) -> tuple[Probe, ...]:
        """The failed probes at its end, up to the one that made it unhealthy."""
        failed = itertools.takewhile(lambda probe: probe.code != 0, reversed(self.probes))
        return tuple(failed)[::-1][: self.retries]

    @property
    def healthy_after(self) -> float:
        """Seconds from its start to the end of the first probe that found it well."""
        return next(probe.end for probe in self.probes if probe.code == 0) - self.started

    def until_healthy(self, earliest: float, latest: float, pace: float) -> float:
        """Return how long at most a container is well before it is called so, by its numbers alone.

        Args:
            earliest: seconds after its start at which such a container is well at the earliest.
            latest: the same at the latest; this one may have been quicker.
            pace: seconds that this machine takes for a probe that does nothing.

        Returns:
            Seconds from then to the end of the first probe that finds it so; less what the machine
            took for that probe.
        """
        before = [probe for probe in self.probes if probe.end - self.started < self.healthy_after]
        good = self.probes[len(before)]
        began = good.start - self.started
        if began < earliest:  # this probe has waited for that itself
            return max(good.end - self.started - earliest, 0)
        wait = good.start - max([self.started, *(probe.end for probe in before)])
        # Had it been well a moment after this probe began, it would have waited for the next one.
        wait = wait if began < latest else min(wait, began - earliest)
        return wait + max(good.end - good.start - pace, 0)

    def until_unhealthy(self, pace: float) -> float:
        """Return how long at most it was unwell before it was called so, by its numbers alone.

        Args:
            pace: seconds that this machine takes for a probe that does nothing.

        Returns:
            Seconds from the end of the last good probe, or from the start, to the end of the one
            that made it unhealthy; less what the machine took: of a probe that its timeout ended
            all that is more, of another one its pace.
        """
        well = [probe.end for probe in self.probes if probe.code == 0]
        more = (
            probe.end - probe.start - self.timeout if probe.code == CUT else pace
            for probe in self.failing
        )
        took = self.failing[-1].end - max([self.started, *well])
        return took - sum(max(seconds, 0) for seconds in more)


class Watch:
    """Looks at a container's health again and again, and keeps the probes that Docker forgets.

    Args:
        container: which.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._probes: dict[float, Probe] = {}

    def look(self) -> Timeline:
        """Return what Docker has said since the container's last start."""
        running, health = self._container.exit_code() is None, self._container.health()
        started = self._container.started()
        self._probes |= {probe.start: probe for probe in health.probes}
        return Timeline(
            health.status,
            health.streak,
            self._container.retries(),
            self._container.probe_timeout(),
            self._container.start_period(),
            running,
            started,
            # Docker keeps those of an earlier start.
            tuple(probe for at, probe in sorted(self._probes.items()) if at >= started),
        )
