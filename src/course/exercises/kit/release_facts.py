"""How a release went that lost nothing: what every check of one sees after that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course.core.errors import CourseError
from course.exercises.kit.facts import Facts
from course.exercises.kit.probe_release import ProbeRelease
from course.exercises.kit.shop import LATENCY, NAME
from course.exercises.kit.verdict import Wrong


@dataclass(frozen=True)
class Carried(Facts):
    """How a release went that lost nothing."""

    id: str  # of the exercise
    release: ProbeRelease
    work: float  # how long a request takes, in seconds; 0 if that is not given

    def wrong(self) -> Wrong | None:
        seen = self.release.seen
        # A timer is never early, but for its clock's last millisecond, and all else adds to it.
        if seen.summary.min_ms < 950 * self.work:
            return Wrong(
                "latency-hidden",
                saw=f"requests were answered within {seen.summary.min_ms:.0f} ms: "
                f"{LATENCY} of Deployment {NAME} is no longer {1000 * self.work:.0f}",
                want=f"requests that take {1000 * self.work:.0f} ms, as they do, and are answered "
                "all the same",
                try_=f"cat {self.id}/shop.yaml   the work of a request is given",
            )
        if seen.ready_at_start < 2:
            return Wrong(
                "one-pod",
                saw=f"Deployment {NAME}: {ready_before(self.release)}",
                want="2 or more: one pod is lost with its node",
                try_=f"kubectl get deployment {NAME}",
            )
        return None

    def notes(self) -> Iterator[str]:
        return figures(self.release)


def ready_before(release: ProbeRelease) -> str:
    """Return how many pods a release began with, as a message says it."""
    found, asked = release.seen.ready_at_start, release.before.desired
    return f"ready pods when the release began: {found}; spec.replicas is {asked}"


def figures(release: ProbeRelease) -> Iterator[str]:
    """Return what a release that lost nothing shows, and how far that reaches."""
    seen, good = release.seen, release.seen.summary
    yield (
        f"0 of {good.planned:,} requests failed in a release of {release.seconds:.1f} s: "
        f"under {3 / max(1, good.ok):.2%} at 95 %"
    )
    yield (
        f"at one time at most {seen.peak_pods} pods, and at least {seen.fewest_ready} ready; "
        f"blind {good.blind_ms:.0f} ms, {seen.blind_ms:.0f} ms at the most"
    )


def finished(release: ProbeRelease) -> None:
    """Refuse to judge a release that lost nothing and did not end.

    Args:
        release: the check's.

    Raises:
        CourseError: it did not.
    """
    if not release.seconds:
        raise CourseError(
            f"the check's release of {NAME} was not over in time: {release.status.message}",
            "its end",
            f"kubectl rollout status deployment/{NAME}; is this machine very busy? then run the "
            "check again",
        )
