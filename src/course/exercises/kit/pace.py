"""How long a health check that does nothing takes on this machine now.

A container of the course's own has one, beside those of an exercise. Its seconds (Docker's start
of a command, and Node's own) are taken off those of a learner's probes: what is left comes from
the answer's numbers, on a busy machine too.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator

from course.core.errors import CourseError
from course.exercises.kit.lab import Lab
from course.measure.probes import Watch

SLACK = 0.5
"""Seconds that a bound may be exceeded by: one probe differs from the next."""
_IMAGE = "node:24-slim"
_IDLES = ["node", "-e", "setInterval(() => {}, 1e6)"]
_HEALTH = {"test": ["CMD", "node", "-e", "0"], "interval": 10**9}


class Pace:
    """The pace of this machine.

    Args:
        watch: looks at the container whose health check does nothing.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def seconds(self) -> float:
        """Return what such a probe took until now, as the median; 0 before the first has ended."""
        took = [probe.end - probe.start for probe in self._watch.look().probes]
        return statistics.median(took) if took else 0.0

    def is_over(self, seconds: float, since: float, probes: int) -> bool:
        """Whether the time is over within which something was to be so.

        Args:
            seconds: what an exercise allows.
            since: when that began, by `time.monotonic`.
            probes: how many ran meanwhile.
        """
        more = time.monotonic() - since - seconds - SLACK
        return more > 0 and more > probes * self.seconds()


@contextlib.contextmanager
def pace(lab: Lab) -> Iterator[Pace]:
    """Measure this machine's pace while a check observes.

    Args:
        lab: of the exercise.

    Raises:
        CourseError: the image that this needs is not there.
    """
    import docker.errors

    try:
        lab.docker.images.get(_IMAGE)
    except docker.errors.ImageNotFound as error:
        raise CourseError(f"no image `{_IMAGE}`", "the course's own", "course up") from error
    with lab.container(
        _IMAGE, port=0, closed="none", entrypoint=_IDLES, healthcheck=_HEALTH
    ) as idle:
        yield Pace(Watch(idle))
