"""course.measure.traffic.split: known figures, and the coverage of the interval by simulation."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

from course.core.errors import CourseError
from course.measure.traffic import split


def _binomial(rng: random.Random, n: int, p: float) -> int:
    return sum(rng.random() < p for _ in range(n))


@pytest.mark.parametrize(("p", "n"), [(0.05, 500), (0.1, 300), (0.25, 200), (0.5, 200)])
def test_the_interval_contains_the_truth_in_95_of_100_cases(p: float, n: int) -> None:
    rng = random.Random(20261124)
    runs = 2000
    covered = sum(split.share(_binomial(rng, n, p), n).may_be(p) for _ in range(runs))
    assert 0.93 <= covered / runs <= 0.97


def test_an_interval_of_half_the_width_would_be_noticed() -> None:
    rng = random.Random(20261124)
    shares = [split.share(_binomial(rng, 300, 0.1), 300, confidence=0.67) for _ in range(1000)]
    assert sum(s.may_be(0.1) for s in shares) / 1000 < 0.8


def test_a_round_robin_varies_less_than_the_interval_says() -> None:
    # 5 % by weight: each 20th. Whatever the place where counting starts, the truth is inside.
    for start in range(20):
        for n in (100, 333, 1000):
            count = sum((start + i) % 20 == 0 for i in range(n))
            assert split.share(count, n).may_be(0.05)


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


def test_how_many_requests_a_claim_needs() -> None:
    assert [split.needed(0.05, h) for h in (0.01, 0.005, 0.0025)] == [1825, 7299, 29196]
    assert [split.needed_to_tell(0.05, p) for p in (0.1, 0.07, 0.06)] == [221, 1175, 4394]
    assert [split.needed_to_see(0.05, c) for c in (0.95, 0.99)] == [59, 90]
    assert split.needed_to_see(1e-20) == pytest.approx(3e20, rel=0.01)


def test_so_many_requests_do_tell_5_from_10_percent() -> None:
    rng = random.Random(1)
    n = split.needed_to_tell(0.05, 0.1)
    limit = 0.05 + 1.645 * (0.05 * 0.95 / n) ** 0.5
    noticed = sum(_binomial(rng, n, 0.1) / n > limit for _ in range(2000)) / 2000
    alarms = sum(_binomial(rng, n, 0.05) / n > limit for _ in range(2000)) / 2000
    assert 0.87 <= noticed <= 0.93
    assert 0.03 <= alarms <= 0.07


def test_telling_says_so_when_it_cannot() -> None:
    assert split.tell(50, 1000, 0.05, 0.1) == 0.05
    assert split.tell(100, 1000, 0.05, 0.1) == 0.1
    assert split.tell(5, 60, 0.05, 0.1) is None  # both fit
    assert split.tell(500, 1000, 0.05, 0.1) is None  # neither does


def test_a_band_for_checks() -> None:
    low, high = split.band(0.1, 900)
    assert (low, high) == (56 / 900, 128 / 900)
    assert split.band(0.05, 100) == (0.0, 0.16)
    assert split.band(0.5, 0) == (0, 1)
    assert (split.band(0, 50), split.band(1, 50)) == ((0, 0), (1, 1))


def _outside(p: float, n: int, low: float, high: float) -> tuple[float, float]:
    """How often a count falls below and above, exactly: in whole numbers."""
    up, whole = p.as_integer_ratio()
    each = [math.comb(n, k) * up**k * (whole - up) ** (n - k) for k in range(n + 1)]
    assert sum(each) == whole**n
    below = sum(each[k] for k in range(n + 1) if k / n < low)
    above = sum(each[k] for k in range(n + 1) if k / n > high)
    return float(Fraction(below, whole**n)), float(Fraction(above, whole**n))


@pytest.mark.parametrize("sigmas", [2, 4, 12])
@pytest.mark.parametrize("n", [1, 10, 100, 333])
@pytest.mark.parametrize("p", [0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.7, 0.95, 0.999])
def test_a_right_share_is_outside_its_band_as_rarely_as_is_said(
    p: float, n: int, sigmas: float
) -> None:
    tail = math.erfc(sigmas / 2**0.5) / 2
    low, high = split.band(p, n, sigmas)
    assert all(outside <= tail for outside in _outside(p, n, low, high))
    # And no wider than that: one request less at either end, and it would be outside too often.
    narrower = _outside(p, n, low + 0.5 / n, high - 0.5 / n)
    assert all(outside > tail for outside in narrower)


def test_a_band_of_many_requests_is_that_of_the_normal_distribution() -> None:
    n, p = 1_000_000, 0.3
    half = 4 * (p * (1 - p) / n) ** 0.5
    assert split.band(p, n) == pytest.approx((p - half, p + half), abs=5 / n)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: split.share(3, 2),
        lambda: split.share(-1, 2),
        lambda: split.share(1, 2, confidence=1),
        lambda: split.needed(0.05, 0),
        lambda: split.needed(5, 0.01),
        lambda: split.needed_to_tell(0.05, 0.05),
        lambda: split.needed_to_see(0),
        lambda: split.needed_to_see(0.05, 1),
        lambda: split.needed_to_tell(0.05, 0.1, alpha=0),
        lambda: split.needed_to_tell(0.05, 0.1, power=1),
        lambda: split.band(0.05, 100, 0),
        lambda: split.band(0.05, 100, float("nan")),
        lambda: split.band(1.05, 100),
    ],
)
def test_nonsense_is_refused(ask: object) -> None:
    with pytest.raises(CourseError):
        ask()  # type: ignore[operator]


@pytest.mark.parametrize("confidence", [1 - 1e-16, 1e-300])
def test_a_confidence_may_be_as_near_to_certainty_as_a_float_is(confidence: float) -> None:
    seen = split.share(5, 10, confidence)
    assert 0 < seen.low <= 0.5 <= seen.high < 1
    assert split.needed_to_tell(0.05, 0.10, alpha=1e-300) > 1000


def test_a_band_of_many_sigmas_ends_at_once() -> None:
    low, high = split.band(0.5, 10**8, sigmas=50)
    assert 0.49 < low < 0.5 < high < 0.51


def test_a_tolerance_that_is_no_number_is_refused() -> None:
    with pytest.raises(CourseError, match="tolerance of nan"):
        split.needed(0.05, math.nan)
