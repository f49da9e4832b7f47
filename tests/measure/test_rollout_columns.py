"""course.measure.rollout.columns: what `kubectl get pods` prints of a pod."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from course.measure.rollout.columns import columns, moment, since
from tests.pod_rows import ENDED, ROWS, pod, state

NOW = datetime(2026, 1, 1, 0, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ROWS)
def test_a_pod_is_told_as_kubectl_tells_it(name: str) -> None:
    thing, ready, word, restarts = ROWS[name]
    row = columns(thing)
    assert (f"{row.ready}/{row.containers}", row.status, row.restarts) == (ready, word, restarts)


def test_the_last_restart_is_told_beside_their_number() -> None:
    earlier = "2026-01-01T00:01:00Z"
    thing = pod(state("a", restarts=1, last=ENDED), state("b", restarts=2, last=earlier))
    assert columns(thing).cells(NOW) == ("p", "2/2", "Running", "3 (5m30s ago)", "9m30s")


def test_restarts_whose_time_nobody_knows_are_a_number() -> None:
    assert columns(pod(state("a", restarts=1))).cells(NOW)[3] == "1"
    assert columns(pod(state("a", last=ENDED))).cells(NOW)[3] == "0"


def test_an_age_that_nobody_knows_is_not_made_up() -> None:
    assert columns({"metadata": {"name": "p"}}).cells(NOW)[4] == "<unknown>"


@pytest.mark.parametrize(
    ("passed", "told"),
    [
        (timedelta(seconds=-2), "<invalid>"),
        (timedelta(seconds=-1.9), "0s"),
        (timedelta(0), "0s"),
        (timedelta(seconds=119), "119s"),
        (timedelta(minutes=2), "2m"),
        (timedelta(minutes=2, seconds=10), "2m10s"),
        (timedelta(minutes=10, seconds=10), "10m"),
        (timedelta(minutes=179), "179m"),
        (timedelta(hours=3), "3h"),
        (timedelta(hours=7, minutes=59), "7h59m"),
        (timedelta(hours=47), "47h"),
        (timedelta(days=2, hours=3), "2d3h"),
        (timedelta(days=8), "8d"),
        (timedelta(days=729), "729d"),
        (timedelta(days=731), "2y1d"),
        (timedelta(days=8 * 365), "8y"),
    ],
)
def test_a_duration_has_the_words_of_kubectl(passed: timedelta, told: str) -> None:
    assert since(NOW, NOW + passed) == told


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_what_is_no_time_is_none(text: str | None) -> None:
    assert moment(text) is None
