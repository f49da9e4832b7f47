"""What a run, or a window of it, amounts to."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from course.measure.traffic.feed import Batch, Response

BLIND_MS = 10.0
"""A generator that did not run for longer than this may have missed something."""
_MAX_OUTAGES = 1000


@dataclass(frozen=True)
class Summary:
    """A run in figures. It always adds up: planned = ok + failed + late + unsent.

    Args:
        planned: requests whose intended send lies in the window and whose end is known.
        ok: sent on time and answered with a status below 400.
        errors: kind of failure → requests, whenever they were sent.
        late: sent more than 10 ms late and then answered well: they say nothing about the moment
            that they were meant for.
        unsent: never sent, because the generator itself did not run or had no ports left, or
            because it was ended before their answer.
        blind_ms: how long the generator did not run, in stretches of more than 10 ms.
        by_version: version → answers, errors included where an answer names a version.
        min_ms: the shortest time from intended send to answer, errors left out.
        p50_ms: quantiles of that time.
        p90_ms: see `p50_ms`.
        p99_ms: see `p50_ms`.
        max_ms: see `p50_ms`.
        late_p99_ms: 99 % of the requests were sent at most this late.
        rate_achieved: requests sent per second.
        seconds: how long the window was.
        outages: stretches (start, seconds) in which every request failed, from the first that
            failed to the next that did not; at most 1,000 of them.
        ended: why the run ended: `done`, `stopped`, `orphaned`, `died`; empty while it runs.
        retried: requests that were sent twice, on a second connection: with `keep_alive` a server
            may close a connection at the moment in which it is used again.
    """

    planned: int
    ok: int
    errors: dict[str, int]
    late: int
    unsent: int
    blind_ms: float
    by_version: dict[str, int]
    min_ms: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float
    late_p99_ms: float
    rate_achieved: float
    seconds: float
    outages: tuple[tuple[float, float], ...] = ()
    ended: str = ""
    retried: int = 0

    @property
    def failed(self) -> int:
        """Requests that failed, of any kind."""
        return sum(self.errors.values())

    @property
    def bound(self) -> float:
        """The share that fails at most if none of `ok` did (95 %, rule of three)."""
        return min(1.0, 3 / self.ok) if self.ok else 1.0

    @property
    def state(self) -> str:
        """`failed`; `unknown` if a failure may have gone unseen or nothing was seen; else `ok`."""
        if self.failed:
            return "failed"
        return "unknown" if self._doubt else "ok"

    @property
    def _doubt(self) -> str:
        if self.blind_ms > BLIND_MS:
            return f"blind for {self.blind_ms:,.0f} ms"
        if self.ended == "died":
            return "the generator died"
        if self.late or self.unsent:
            return f"{self.late} requests late, {self.unsent} unsent"
        return "" if self.ok else "no request was answered"

    @property
    def verdict(self) -> str:
        """One sentence that claims no more than was seen."""
        if self.failed:
            kinds = ", ".join(f"{n:,} {k}" for k, n in sorted(self.errors.items()))
            text = f"{self.failed:,} of {self.planned:,} failed ({kinds})"
            return text + (f"; {self._doubt}" if self._doubt else "")
        if self._doubt:
            return f"unknown: {self._doubt}; 0 of the {self.ok:,} sent on time failed"
        percent = self.bound * 100
        most = f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"
        return f"0 of {self.planned:,} failed: with 95 % confidence fewer than {most} fail"

    def as_dict(self) -> dict[str, Any]:
        """For machines: all fields, `failed`, `state` and `verdict`."""
        return asdict(self) | {
            "failed": self.failed,
            "state": self.state,
            "verdict": self.verdict,
        }


@dataclass
class Tally:
    """Counts batches as they come. It keeps 16 bytes of each request and no batch.

    Args:
        rate: planned requests per second.
        since: start of the window, in seconds since the start of the run.
        until: its end.
    """

    rate: float
    since: float = 0.0
    until: float = math.inf
    planned: int = 0
    last: float = 0.0
    _ok: int = 0
    _late: int = 0
    _sent: int = 0
    _unsent: int = 0
    _retried: int = 0
    _blind: float = 0.0
    _errors: Counter[str] = field(default_factory=Counter)
    _versions: Counter[str] = field(default_factory=Counter)
    _latency: array[float] = field(default_factory=lambda: array("f"))
    _lateness: array[float] = field(default_factory=lambda: array("f"))
    _failed: list[float] = field(default_factory=list)
    _good: array[float] = field(default_factory=lambda: array("d"))

    def add(self, batches: Iterable[Batch]) -> None:
        """Count these."""
        for batch in batches:
            self.planned = max(self.planned, batch.planned)
            for answer in batch.answers:
                if self.since <= answer.intended < self.until:
                    self._count(answer)
            self._unsent += sum(self.since <= at < self.until for at in batch.unsent)
            self._retried += sum(self.since <= at < self.until for at in batch.retried)
            for at, seconds in batch.blind:
                end = min(at + seconds, self.until)
                self._blind += max(0.0, end - max(at, self.since))

    def _count(self, answer: Response) -> None:
        self._sent += 1
        self._lateness.append(answer.late_ms)
        self.last = max(self.last, answer.intended)
        if answer.version:
            self._versions[answer.version] += 1
        if answer.error:
            self._errors[answer.error] += 1
            self._failed.append(answer.intended)
            return
        self._latency.append(answer.latency_ms)
        if answer.late_ms > BLIND_MS:
            self._late += 1
        else:
            self._ok += 1
            self._good.append(answer.intended)

    def summary(self, *, seconds: float, ended: str = "") -> Summary:
        """The figures so far.

        Args:
            seconds: how long the run has been sending, or did.
            ended: why it ended.
        """
        lost = 0
        if ended == "died" and self.since == 0 and self.until == math.inf:
            # What was on its way when the generator was killed.
            lost = max(0, self.planned - self._sent - self._unsent)
        latency, lateness = sorted(self._latency), sorted(self._lateness)
        window = max(0.0, min(self.until, seconds) - self.since)
        return Summary(
            planned=self._sent + self._unsent + lost,
            ok=self._ok,
            errors=dict(sorted(self._errors.items())),
            late=self._late,
            unsent=self._unsent + lost,
            blind_ms=round(self._blind * 1000, 1),
            by_version=dict(sorted(self._versions.items())),
            min_ms=_quantile(latency, 0),
            p50_ms=_quantile(latency, 0.5),
            p90_ms=_quantile(latency, 0.9),
            p99_ms=_quantile(latency, 0.99),
            max_ms=_quantile(latency, 1.0),
            late_p99_ms=_quantile(lateness, 0.99),
            rate_achieved=round(self._sent / window, 1) if window else 0.0,
            seconds=round(window, 3),
            outages=outages(self._failed, sorted(self._good), 1 / self.rate, seconds),
            ended=ended,
            retried=self._retried,
        )


def outages(
    failed: Iterable[float], good: list[float], interval: float, over: float = math.inf
) -> tuple[tuple[float, float], ...]:
    """Stretches without a single success among what was sent on time.

    Args:
        failed: intended sends of requests that failed.
        good: those of requests that did not, in order.
        interval: seconds between two sends; an outage that the run's end cuts off is this much
            longer than its last failure,
        over: or ends here, with the run.

    Returns:
        (start, seconds) of each, in order; at most 1,000.
    """
    found: list[tuple[float, float]] = []
    start = last = -1.0
    end = -math.inf
    for at in sorted(failed):
        if at < end:
            last = at
            continue
        if start >= 0:
            found.append((start, end))
        after = bisect_right(good, at)
        start = last = at
        end = good[after] if after < len(good) else math.inf
    if start >= 0:
        cut_off = max(last, min(last + interval, over))
        found.append((start, end if end < math.inf else cut_off))
    return tuple((round(a, 4), round(b - a, 4)) for a, b in found[:_MAX_OUTAGES])


def _quantile(values: list[float], q: float) -> float:
    """The smallest value that `q` of all do not exceed; 0 without values."""
    if not values:
        return 0.0
    return round(values[min(len(values) - 1, max(0, math.ceil(q * len(values)) - 1))], 3)
