"""One change of a Deployment, seen from both sides: its pods, and the requests sent meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from course.measure.rollout import Feed, Sample
from course.measure.traffic import Run, Summary

POD_STARTING = "answered with 503 by a pod that could not serve yet"
POD_ERROR = "answered with another error by a pod"
NO_READY_ENDPOINT = "refused by the gateway, which knew no ready pod"
POD_LOST = "lost on a pod that was gone or did not listen"
TIMED_OUT = "not answered in time"


@dataclass(frozen=True)
class Failure:
    """One request that failed.

    Args:
        at: seconds since the change's zero at which it was to be sent.
        error: see `traffic.Response`.
        version: who answered; empty if it was the gateway, or nobody.
        until: when it had failed, on the same clock.
    """

    at: float
    error: str
    version: str
    until: float = 0.0

    @property
    def category(self) -> str:
        """Who failed it: a pod, the gateway for want of one, or the way between them."""
        if self.version:
            # While it starts, the service says 503 and nothing else.
            return POD_STARTING if self.error == "503" else POD_ERROR
        if self.error == "timeout":
            return TIMED_OUT
        # The gateway's own 503 means that the Service has no address; a pod's names its version.
        return NO_READY_ENDPOINT if self.error == "503" else POD_LOST


@dataclass(frozen=True)
class ReleaseRecord:
    """What was seen.

    Args:
        summary: the traffic's figures.
        failures: the requests that failed, in order.
        samples: the Deployment's pods as they changed.
        zero: where on the samples' clock the failures' times begin.
        blind_ms: the longest time for which the generator stood still.
    """

    summary: Summary
    failures: tuple[Failure, ...]
    samples: tuple[Sample, ...]
    zero: float
    blind_ms: float

    def failures_by(self, category: str) -> list[Failure]:
        """The failures of one category, see `Failure.category`."""
        return [failure for failure in self.failures if failure.category == category]

    @cached_property
    def during(self) -> tuple[Sample, ...]:
        """The samples from zero on, with the state that it found."""
        before = [s for s in self.samples if s.at < self.zero][-1:]
        return (*before, *(s for s in self.samples if s.at >= self.zero))

    @property
    def ready_at_start(self) -> int:
        """The ready pods that zero found."""
        return _serving(self.during[0])

    @property
    def at_peak(self) -> Sample:
        """The first moment with the most pods."""
        return max(self.during, key=_there)

    @property
    def at_fewest(self) -> Sample:
        """The first moment with the fewest ready pods."""
        return min(self.during, key=_serving)

    @property
    def peak_pods(self) -> int:
        """The most pods at one time, but for those on their way out and those that have ended."""
        return _there(self.at_peak)

    @property
    def fewest_ready(self) -> int:
        """The fewest ready pods at one time."""
        return _serving(self.at_fewest)


def _there(sample: Sample) -> int:
    return sum(pod.counts for pod in sample.pods)


def _serving(sample: Sample) -> int:
    return sum(pod.ready and pod.counts for pod in sample.pods)


def merge_feeds(run: Run, feed: Feed, zero: float | None = None) -> ReleaseRecord:
    """Put the records of a run and of a feed on one clock.

    Args:
        run: the traffic.
        feed: the pods.
        zero: the moment on the feed's clock that counts as 0; by default the traffic's start.
    """
    start = (run.started or feed.began) - feed.began
    zero = start if zero is None else zero
    batches = run.batches()
    failures = [
        Failure(
            round(start - zero + answer.intended, 3),
            answer.error,
            answer.version,
            round(start - zero + answer.intended + answer.latency_ms / 1000, 3),
        )
        for batch in batches
        for answer in batch.answers
        if answer.error
    ]
    stood = max((seconds for batch in batches for _, seconds in batch.blind), default=0.0)
    return ReleaseRecord(
        run.summary(),
        tuple(sorted(failures, key=lambda failure: failure.at)),
        tuple(feed.samples()),
        zero,
        round(stood * 1000, 1),
    )
