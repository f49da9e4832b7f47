"""What counts say about a share: pure statistics of a traffic split.

All of it treats each request as an independent trial. A proxy that deals requests out by weighted
round robin does not throw: it is deterministic, its count keeps closer to the weight than chance
would, and the intervals here are then wider than need be, never too narrow. With several replicas
of the proxy, or a choice by hash or by cookie, chance is back.

An interval is for one look at a number of requests that was fixed before. Who looks every second
and stops at the first surprise is surprised too often.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from statistics import NormalDist

from course.core.errors import CourseError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Share:
    """A measured share and what it may be in truth.

    Args:
        count: requests of this kind.
        total: all requests.
        low: lower end of the interval, between 0 and 1.
        high: upper end.
    """

    count: int
    total: int
    low: float
    high: float

    @property
    def measured(self) -> float:
        """The share as it was counted, between 0 and 1."""
        return self.count / self.total if self.total else 0.0

    def may_be(self, share: float) -> bool:
        """Whether this share lies in the interval."""
        return self.low <= share <= self.high

    def __str__(self) -> str:
        return f"{self.measured:.1%} ({self.low:.1%} to {self.high:.1%}; {self.total:,} requests)"


def share(count: int, total: int, confidence: float = CONFIDENCE) -> Share:
    """A share with its Wilson interval, which holds for small counts as well, and for none.

    Args:
        count: requests of this kind.
        total: all requests; with 0 the share may be anything.
        confidence: how often such an interval contains the truth.

    Raises:
        CourseError: more of this kind than there are, or a negative count.
    """
    if not 0 <= count <= total:
        raise CourseError(f"{count} of {total} requests", "a count between 0 and the total")
    if total == 0:
        return Share(0, 0, 0.0, 1.0)
    z = _z_two_sided(confidence)
    p, spread = count / total, z * z / total
    middle = (p + spread / 2) / (1 + spread)
    half = z * math.sqrt(p * (1 - p) / total + spread / (4 * total)) / (1 + spread)
    # At the very ends rounding would leave 1e-17 where 0 is meant.
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == total else middle + half
    return Share(count, total, low, high)


def band(expected: float, total: int, sigmas: float = 4.0) -> tuple[float, float]:
    """Between which shares a right split is measured, for a check that must not fail by chance.

    It is exact for independent requests: by the binomial distribution, not by the normal one, which
    is far off for small shares (of 5 % of 100 requests, four standard deviations are left once in
    2,159 times).

    Args:
        expected: the share that was set.
        total: how many requests are counted.
        sigmas: how rarely a right split falls outside: at each end at most as often as a normal
            value falls that many standard deviations beyond its mean. With 4 that is outside at
            most once in 15,787 times.

    Returns:
        The lowest and the highest share that are inside.
    """
    _check_share(expected)
    if not sigmas > 0:
        raise CourseError(f"a band of {sigmas:g} standard deviations", "more than 0, e.g. 4")
    if total < 1:
        return 0.0, 1.0
    # Not NormalDist's, which is 0 from 9 standard deviations on; this is from 38 on.
    tail = max(math.erfc(sigmas / math.sqrt(2)) / 2, sys.float_info.min)
    fewest = _fewest(expected, total, tail)
    return fewest / total, (total - _fewest(1 - expected, total, tail)) / total


def _fewest(share_: float, total: int, tail: float) -> int:
    """The largest count below which a binomial count falls with at most this probability."""
    if share_ in (0, 1):
        return round(share_ * total)
    # Further below the mean nothing adds up to anything: by Hoeffding's inequality, to less than
    # 1e-17 of the tail.
    far = math.sqrt((20 - math.log(tail)) * total)
    first = math.floor(max(0.0, share_ * total - far))
    below, count = 0.0, first
    while True:
        below += math.exp(
            math.lgamma(total + 1)
            - math.lgamma(count + 1)
            - math.lgamma(total - count + 1)
            + count * math.log(share_)
            + (total - count) * math.log1p(-share_)
        )
        if below > tail:
            return count
        count += 1


def needed(expected: float, half_width: float, confidence: float = CONFIDENCE) -> int:
    """How many requests it takes for "5 %, give or take 1 percentage point".

    Args:
        expected: the share.
        half_width: the tolerance, e.g. 0.01.
        confidence: how often the interval contains the truth.
    """
    _check_share(expected)
    if not half_width > 0:
        raise CourseError(f"a tolerance of {half_width:g}", "more than 0, e.g. 0.01")
    z = _z_two_sided(confidence)
    return max(1, math.ceil(z * z * expected * (1 - expected) / half_width**2))


def needed_to_tell(
    one: float, other: float, alpha: float = 1 - CONFIDENCE, power: float = 0.9
) -> int:
    """How many requests it takes to tell one share from another.

    Args:
        one: the share that is taken for granted until the count says otherwise.
        other: the share that must then be noticed.
        alpha: how often `one` is given up though it is true (one-sided).
        power: how often `other` is noticed when it is true.

    Raises:
        CourseError: the two are the same.
    """
    _check_share(one)
    _check_share(other)
    if one == other:
        raise CourseError(f"{one:.1%} and {other:.1%} are the same", "two different shares")
    if not (0 < alpha < 1 and 0 < power < 1):
        raise CourseError(f"alpha {alpha:g} and power {power:g}", "each between 0 and 1")
    z_alpha, z_power = -NormalDist().inv_cdf(alpha), NormalDist().inv_cdf(power)
    spread = z_alpha * math.sqrt(one * (1 - one)) + z_power * math.sqrt(other * (1 - other))
    return max(1, math.ceil((spread / (other - one)) ** 2))


def needed_to_see(share_: float, confidence: float = CONFIDENCE) -> int:
    """How many requests without a single one of a kind rule this share of it out.

    Args:
        share_: e.g. 0.05 for a canary of 5 %.
        confidence: how often the conclusion is right.
    """
    if not 0 < share_ < 1:
        raise CourseError(f"a share of {share_:g}", "between 0 and 1")
    _check_confidence(confidence)
    return math.ceil(math.log1p(-confidence) / math.log1p(-share_))


def tell(count: int, total: int, one: float, other: float) -> float | None:
    """Which of two shares a count agrees with.

    Args:
        count: requests of this kind.
        total: all requests.
        one: a share.
        other: another.

    Returns:
        The one that lies in the interval; `None` if both do (too few requests) or neither does.
    """
    seen = share(count, total)
    fit = [candidate for candidate in (one, other) if seen.may_be(candidate)]
    return fit[0] if len(fit) == 1 else None


def _z_two_sided(confidence: float) -> float:
    _check_confidence(confidence)
    return -NormalDist().inv_cdf((1 - confidence) / 2)  # 1 + confidence may be 2, rounded


def _check_confidence(value: float) -> None:
    if not 0 < value < 1:
        raise CourseError(f"a confidence of {value:g}", "between 0 and 1, e.g. 0.95")


def _check_share(value: float) -> None:
    if not 0 <= value <= 1:
        raise CourseError(f"a share of {value:g}", "between 0 and 1, e.g. 0.05 for 5 %")
