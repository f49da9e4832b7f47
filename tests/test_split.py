"""Statistics of a split: known figures, and the coverage of the interval by simulation."""

from __future__ import annotations

import random

import pytest

from course.errors import CourseError
from course.traffic import split


def _binomial(rng: random.Random, n: int, p: float) -> int:
    return sum(rng.random() < p for _ in range(n))


def contains(seen: split.Share, truth: float) -> bool:
    return seen.low <= truth <= seen.high


@pytest.mark.parametrize(("p", "n"), [(0.05, 500), (0.1, 300), (0.25, 200), (0.5, 200)])
def test_the_interval_contains_the_truth_in_95_of_100_cases(p: float, n: int) -> None:
    rng = random.Random(20261124)
    runs = 2000
    covered = sum(contains(split.share(_binomial(rng, n, p), n), p) for _ in range(runs))
    assert 0.93 <= covered / runs <= 0.97


def test_an_interval_of_half_the_width_would_be_noticed() -> None:
    rng = random.Random(20261124)
    shares = [split.share(_binomial(rng, 300, 0.1), 300, confidence=0.67) for _ in range(1000)]
    assert sum(contains(s, 0.1) for s in shares) / 1000 < 0.8


def test_a_round_robin_varies_less_than_the_interval_says() -> None:
    # 5 % by weight: each 20th. Whatever the place where counting starts, the truth is inside.
    for start in range(20):
        for n in (100, 333, 1000):
            count = sum((start + i) % 20 == 0 for i in range(n))
            assert contains(split.share(count, n), 0.05)


@pytest.mark.parametrize(
    ("count", "n", "low", "high"), [(5, 100, 0.0215, 0.1118), (50, 1000, 0.0381, 0.0653)]
)
def test_the_interval_is_wilsons(count: int, n: int, low: float, high: float) -> None:
    seen = split.share(count, n)
    assert seen.low == pytest.approx(low, abs=5e-5)
    assert seen.high == pytest.approx(high, abs=5e-5)
    assert str(seen).startswith(f"{count / n:.1%} (")


def test_the_ends_are_exact() -> None:
    assert split.share(0, 100).low == 0
    assert split.share(0, 100).high == pytest.approx(0.037, abs=5e-4)
    assert split.share(100, 100).high == 1
    assert (split.share(0, 0).low, split.share(0, 0).high) == (0, 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: split.share(3, 2),
        lambda: split.share(-1, 2),
        lambda: split.share(1, 2, confidence=1),
    ],
)
def test_nonsense_is_refused(ask: object) -> None:
    with pytest.raises(CourseError):
        ask()  # type: ignore[operator]


@pytest.mark.parametrize("confidence", [1 - 1e-16, 1e-300])
def test_a_confidence_may_be_as_near_to_certainty_as_a_float_is(confidence: float) -> None:
    seen = split.share(5, 10, confidence)
    assert 0 < seen.low <= 0.5 <= seen.high < 1
