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
from dataclasses import dataclass
from statistics import NormalDist

from course.errors import CourseError

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


def _z_two_sided(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise CourseError(f"a confidence of {confidence:g}", "between 0 and 1, e.g. 0.95")
    return -NormalDist().inv_cdf((1 - confidence) / 2)  # 1 + confidence may be 2, rounded
