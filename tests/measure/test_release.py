"""course.measure.release: pods and requests of a change on one clock, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from matplotlib.figure import Figure

from course.core.errors import CourseError
from course.exercises.kit import probe_release
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
from course.measure.rollout import Pod, Sample, Status
from course.measure.traffic import Batch, Response
from course.measure.traffic.summary import Tally
from course.views import release_plot as views_release
from course.views.widgets.pods import TimelineModel

RATE = 10.0


def pod(name: str, version: str = "1.1.0", *, ready: bool = True, ending: bool = False) -> Pod:
    return Pod(name, version, 1, "Running", ready, ending, 0, 5.0)


def sample(at: float, *pods: Pod, state: Any = "progressing") -> Sample:
    return Sample(at, pods, 1, Status(state, state, desired=2, version=pods[0].version))


@dataclass
class Run:
    """A run that has ended."""

    answers: list[Response]
    blind: tuple[tuple[float, float], ...] = ()
    unsent: tuple[float, ...] = ()
    started: float = 1000.5

    def batches(self) -> list[Batch]:
        planned = len(self.answers) + len(self.unsent)
        return [Batch(0.0, tuple(self.answers), planned, self.unsent, self.blind)]

    def summary(self) -> Any:
        tally = Tally(RATE)
        tally.add(self.batches())
        return tally.summary(seconds=len(self.answers) / RATE, ended="done")


@dataclass
class Feed:
    """A feed that has ended."""

    kept: list[Sample] = field(default_factory=list)
    began: float = 1000.0

    def samples(self) -> list[Sample]:
        return self.kept


def answers(*errors: tuple[str, str]) -> list[Response]:
    return [Response(i / RATE, 0.1, 5.0, v, e) for i, (e, v) in enumerate(errors)]


GOOD = ("", "1.1.0")


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


def test_a_name_of_253_characters_leaves_room_for_the_picture() -> None:
    model = TimelineModel()
    model.add(sample(0.0, pod("a" * 253, "v" * 128)))
    axes = Figure().subplots()
    views_release._draw_pods(axes, model, 0.0, 1.0)
    (label,) = [tick.get_text() for tick in axes.get_yticklabels()]
    assert len(label) <= 51


def test_the_finding_is_computed_and_names_what_failed_most() -> None:
    run = Run(answers(GOOD, ("503", "1.2.0"), ("503", "1.2.0"), ("502", ""), *[GOOD] * 6))
    shown = views_release.release_picture(run, Feed([sample(0.0, pod("a"))]), "No probe")  # type: ignore[arg-type]
    assert f"3 of 10 failed, 2 {POD_STARTING}" in (shown._repr_html_() or "")
    assert "requests planned" in repr(shown)


def test_without_a_failure_the_verdict_with_its_bound_is_the_finding() -> None:
    run = Run(answers(*[GOOD] * 300))
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    assert views_release.finding(seen) == (
        "0 of 300 failed: with 95 % confidence fewer than 1 % fail"
    )


def test_a_blind_run_is_told_as_unknown_and_not_as_zero() -> None:
    run = Run(answers(*[GOOD] * 300), blind=((1.0, 0.25),))
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    assert seen.blind_ms == 250
    assert views_release.finding(seen).startswith("unknown: blind for 250 ms")


def tried(run: Run) -> probe_release.ProbeRelease:
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    status = Status("complete", "done")
    return probe_release.ProbeRelease("probe-1", status, status, 5.0, seen, {"probe-1": 10})


def test_a_check_does_not_judge_what_its_generator_did_not_see() -> None:
    with pytest.raises(CourseError, match=r"blind: .* stood still for 250 ms"):
        tried(Run(answers(*[GOOD] * 300), blind=((1.0, 0.25),))).judgeable()
    with pytest.raises(CourseError, match="2 of 102 requests were never sent"):
        tried(Run(answers(*[GOOD] * 100), unsent=(1.0, 2.0))).judgeable()


def test_a_check_does_not_judge_a_machine_that_is_only_slow() -> None:
    with pytest.raises(CourseError, match=r"1 requests had no answer .* too busy"):
        tried(Run(answers(("timeout", ""), *[GOOD] * 300))).judgeable()


def test_what_was_seen_to_fail_has_failed_however_blind_the_generator_was() -> None:
    run = Run(answers(("502", ""), *[GOOD] * 9), blind=((1.0, 0.25),))
    made = tried(run)
    made.judgeable()
    assert made.said() == "1 of 10 requests failed (1 x 502)"
