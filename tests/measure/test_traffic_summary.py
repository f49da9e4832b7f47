"""course.measure.traffic.summary: what may be said of a run, and what is in doubt."""

from __future__ import annotations

import pytest

from course.measure.traffic.feed import Batch, Response
from course.measure.traffic.summary import Summary, Tally, outages


def _tallied(answers: list[Response], **extra: object) -> Summary:
    tally = Tally(rate=100)
    tally.add([Batch(0.0, tuple(answers), len(answers), **extra)])  # type: ignore[arg-type]
    return tally.summary(seconds=len(answers) / 100, ended="done")


def test_nothing_failed_is_said_with_its_bound() -> None:
    summary = _tallied([Response(i / 100, 0.1, 1.0, "v1", "") for i in range(15000)])
    assert summary.state == "ok"
    assert summary.verdict.startswith("0 of 15,000 failed:")
    assert "0.02 %" in summary.verdict


@pytest.mark.parametrize(("count", "most"), [(3, "100 %"), (10, "30 %"), (1000, "0.3 %")])
def test_the_bound_of_few_requests_is_a_plain_number(count: int, most: str) -> None:
    summary = _tallied([Response(i / 100, 0.1, 1.0, "v1", "") for i in range(count)])
    assert f"fewer than {most} fail" in summary.verdict


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"blind": ((0.02, 0.011),)}, "blind for 11 ms"),
        ({"unsent": (0.5,)}, "0 requests late, 1 unsent"),
    ],
)
def test_doubt_is_said(extra: dict[str, object], reason: str) -> None:
    summary = _tallied([Response(i / 100, 0.1, 1.0) for i in range(50)], **extra)
    assert summary.state == "unknown"
    assert summary.verdict.startswith(f"unknown: {reason}")


def test_a_failure_is_a_failure_even_when_blind() -> None:
    answers = [Response(0.0, 0.1, 1.0), Response(0.01, 20.0, 22.0, "", "refused")]
    summary = _tallied(answers, blind=((0.01, 0.5),))
    assert summary.state == "failed"
    assert "blind for 500 ms" in summary.verdict


def test_what_was_on_its_way_when_the_generator_was_killed_is_not_forgotten() -> None:
    tally = Tally(rate=100)
    tally.add([Batch(0.0, (Response(0.0, 0.1, 1.0),), planned=10, unsent=(0.01,))])
    summary = tally.summary(seconds=0.1, ended="died")
    assert (summary.planned, summary.ok, summary.unsent) == (10, 1, 9)
    assert summary.state == "unknown"


def test_late_answers_prove_nothing() -> None:
    summary = _tallied([Response(0.0, 0.1, 1.0), Response(0.01, 30.0, 31.0)])
    assert (summary.ok, summary.late, summary.state) == (1, 1, "unknown")


def test_silence_is_no_proof() -> None:
    assert _tallied([]).state == "unknown"


def test_outages_end_with_the_next_success() -> None:
    good = [0.0, 0.1, 0.4, 0.5]
    assert outages([0.2, 0.3], good, 0.1) == ((0.2, 0.2),)
    assert outages([0.6, 0.7], good, 0.1) == ((0.6, 0.2),)
    assert outages([0.05, 0.45], good, 0.1) == ((0.05, 0.05), (0.45, 0.05))
    assert outages([0.0], [], 2.0, over=1.0) == ((0.0, 1.0),)  # no longer than the run
    assert outages([0.0, 2.0], [], 2.0, over=1.0) == ((0.0, 2.0),)
    assert outages([], good, 0.1) == ()
    assert outages([0.0, 0.1], [], 0.1) == ((0.0, 0.2),)
