"""course.measure.release: pods and requests of a change on one clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from course.measure import release
from course.measure.release import (
    NO_READY_ENDPOINT,
    POD_ERROR,
    POD_LOST,
    POD_STARTING,
    TIMED_OUT,
    Failure,
    ReleaseRecord,
)
from tests.releases import GOOD, Feed, Run, answers, pod, sample


def test_both_records_are_put_on_the_traffics_clock() -> None:
    run = Run(answers(GOOD, ("502", ""), GOOD))
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    assert seen.zero == 0.5  # the traffic began half a second after the feed
    assert seen.failures == (Failure(0.1, "502", "", 0.105),)


def test_a_given_zero_moves_the_failures() -> None:
    run = Run(answers(GOOD, ("502", "")))
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]), zero=2.0)  # type: ignore[arg-type]
    assert seen.failures[0].at == pytest.approx(0.1 + 0.5 - 2.0)


@pytest.mark.parametrize(
    ("error", "version", "why"),
    [
        ("503", "1.2.0", POD_STARTING),
        ("500", "1.2.0", POD_ERROR),
        ("503", "", NO_READY_ENDPOINT),
        ("502", "", POD_LOST),
        ("reset", "", POD_LOST),
        ("timeout", "", TIMED_OUT),
    ],
)
def test_a_failure_is_told_by_who_answered(error: str, version: str, why: str) -> None:
    assert Failure(0.0, error, version).category == why


def test_pods_on_their_way_out_are_neither_there_nor_ready() -> None:
    seen = ReleaseRecord(
        Run(answers(GOOD)).summary(),
        (),
        (
            sample(0.0, pod("a"), pod("b")),
            sample(1.2, pod("a"), pod("b"), pod("c", ready=False)),
            sample(2.0, pod("a", ending=True), pod("b"), pod("c", ready=False)),
        ),
        1.0,
        0.0,
    )
    assert (seen.ready_at_start, seen.peak_pods, seen.fewest_ready) == (2, 3, 1)
    assert (seen.at_peak.at, seen.at_fewest.at) == (1.2, 2.0)
    assert len(seen.during) == 3  # the state that the release found counts


def test_a_pod_that_was_evicted_or_failed_during_a_release_does_not_count() -> None:
    left = replace(pod("evicted", ready=False), finished=True)
    three = (pod("a"), pod("b"), pod("c", ready=False))
    seen = ReleaseRecord(
        Run(answers(GOOD)).summary(), (), (sample(0.0, *three, left), sample(2.0, *three)), 1.0, 0.0
    )
    assert (seen.ready_at_start, seen.peak_pods, seen.fewest_ready) == (2, 3, 2)
