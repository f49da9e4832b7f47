"""The model behind the picture of requests: shapes of the feed, what is shown."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from course.measure.traffic import split

CELLS = 1024
"""Answers that a page shows one by one."""


WINDOW = 2000
"""Answers that shares and latencies are taken of: at 5 %, the interval is 1 point to each side."""


COLUMNS = 300
"""Columns of the history; when they are full, each comes to cover twice the time."""


FASTEST = 0.1
_NUMBERS_EVERY = 0.5
_ANNOUNCE_EVERY = 10.0
_MOST_VERSIONS = 14


OTHERS, NO_VERSION = "other versions", "no version"


OK, ANSWERED, SILENT, TIMEOUT = range(4)
"""How a request ended: well, with an error status, with no answer, or too late."""


Weights = Mapping[str, float]


class Response(Protocol):
    """The shape of one answer; see `course.measure.traffic.Response`."""

    @property
    def latency_ms(self) -> float:
        """From the intended send to the answer."""

    @property
    def version(self) -> str:
        """Empty where no version was told."""

    @property
    def error(self) -> str:
        """Empty for a good answer."""


class Batch(Protocol):
    """The shape of 100 ms of answers; see `course.measure.traffic.Batch`."""

    @property
    def at(self) -> float:
        """Seconds since the start."""

    @property
    def answers(self) -> Sequence[Response]:
        """What was answered."""

    @property
    def unsent(self) -> Sequence[float]:
        """Planned sends that did not happen, in seconds since the start."""

    @property
    def blind(self) -> Sequence[tuple[float, float]]:
        """Stretches (start, seconds) in which the generator itself did not run."""


class Run(Protocol):
    """The shape of a feed of batches."""

    @property
    def running(self) -> bool:
        """Whether more may come."""

    def batches(self, since: int = 0) -> Sequence[Batch]:
        """The batches from a number on."""

    def stop(self) -> object:
        """End it."""


def outcome(error: str) -> int:
    """How an answer with this error ended."""
    if not error:
        return OK
    if error.isdecimal():
        return ANSWERED
    return TIMEOUT if error == "timeout" else SILENT


class TrafficModel:
    """What came in so far.

    Args:
        window: answers that shares and latencies are taken of.
    """

    def __init__(self, *, window: int = WINDOW) -> None:
        self.versions: list[str] = []
        self.total = 0
        self.failed: Counter[str] = Counter()
        self.unsent = 0
        self.blind = 0.0
        self.width = FASTEST
        self.columns: list[list[int]] = []
        """Counts by time: with an error status, silent, timeout, then good ones by version."""
        self._weighed = False
        self.set_weights: Weights = {}
        self.routed_weights: Weights = {}
        self._seen = 0
        self._last = 0.0
        self._good: Counter[int] = Counter()
        self._window: deque[tuple[int, float]] = deque(maxlen=window)
        self._cells: deque[int] = deque(maxlen=CELLS)
        self._new = bytearray()
        self._touched: set[int] = set()
        self._whole = False
        self._numbers_at = -math.inf
        self._announced = (-math.inf, 0, 0)

    # -- in

    def read(self, run: Run) -> None:
        """Take the batches that are new."""
        batches = run.batches(since=self._seen)
        self._seen += len(batches)
        self.add(batches)

    def add(self, batches: Iterable[Batch]) -> None:
        """Count every answer of some batches."""
        for batch in batches:
            column = self._column(batch.at)
            counts = self.columns[column]
            self._touched.add(column)
            self._last = max(self._last, batch.at + FASTEST)
            self.unsent += len(batch.unsent)
            self.blind += sum(seconds for _, seconds in batch.blind)
            for answer in batch.answers:
                ended = outcome(answer.error)
                version = self._version(answer.version or ("" if ended else NO_VERSION))
                self._new.append(ended << 4 | version)
                self.total += 1
                if version:
                    # A failed answer of a version shows where it was routed, too.
                    self._window.append((version, answer.latency_ms))
                if ended:
                    self.failed[answer.error] += 1
                    counts[ended - 1] += 1
                else:
                    self._good[version] += 1
                    place = 2 + version
                    counts.extend([0] * (place + 1 - len(counts)))
                    counts[place] += 1

    def weigh(self, set_: Weights, routed: Weights) -> None:
        """What was asked for and what the router was told, in percent by version."""
        if dict(set_) != dict(self.set_weights):
            self._window.clear()  # a share across a change of weights would be of neither
        self.set_weights, self.routed_weights = dict(set_), dict(routed)
        self._weighed = True

    def _version(self, name: str) -> int:
        """A version's number, from 1; 0 for none."""
        if not name:
            return 0
        if name not in self.versions:
            if len(self.versions) >= _MOST_VERSIONS:
                name = OTHERS
            if name not in self.versions:
                self.versions.append(name)
        return self.versions.index(name) + 1

    def _column(self, at: float) -> int:
        column = int(at / self.width + 1e-6)
        while column >= COLUMNS:
            self.width *= 2
            self.columns = [_sum(self.columns[i : i + 2]) for i in range(0, len(self.columns), 2)]
            self._touched.clear()
            self._whole = True
            column = int(at / self.width + 1e-6)
        while len(self.columns) <= column:
            self.columns.append([0, 0, 0])
        return column

    # -- out

    def changes(self, seconds: float) -> dict[str, Any]:
        """See `Model.changes`."""
        out: dict[str, Any] = {}
        if self._new or self._touched:
            cells = bytes(self._new)
            self._cells.extend(cells)
            out["delta"] = {
                "first": self.total - len(cells),
                "cells": cells,
                "columns": [[i, *self.columns[i]] for i in sorted(self._touched)],
                "versions": list(self.versions),
                "width": self.width,
            }
            self._new.clear()
            self._touched.clear()
        if self._whole:
            self._whole = False
            out["frame"] = self.frame()
        if out and seconds - self._numbers_at >= _NUMBERS_EVERY:
            self._numbers_at = seconds
            out |= {"text": self.text(), "header": list(self.table()[0])}
            out |= {"rows": [list(row) for row in self.table()[1]], "numbers": self.numbers()}
        said = self._announce(seconds)
        return out | ({"announcement": said} if said else {})

    def frame(self) -> dict[str, Any]:
        """See `Model.frame`."""
        self._cells.extend(self._new)
        self._new.clear()
        self._touched.clear()
        return {
            "total": self.total,
            "cells": bytes(self._cells),
            "columns": [list(column) for column in self.columns],
            "versions": list(self.versions),
            "width": self.width,
        }

    def numbers(self) -> list[list[str]]:
        """Pairs of name and figure, for everybody."""
        p50, p99 = self.latency()
        return [
            ["requests", f"{self.total:,}"],
            ["failed so far", f"{self.failed.total():,}"],
            ["p50", f"{p50} ms"],
            ["p99", f"{p99} ms"],
        ]

    def latency(self, version: int = 0) -> tuple[str, str]:
        """Median and 99th percentile of the window in ms, of one version or of all."""
        found = sorted(ms for v, ms in self._window if not version or v == version)
        if not found:
            return "–", "–"
        return f"{found[len(found) // 2]:.1f}", f"{found[int(len(found) * 0.99)]:.1f}"

    def share(self, version: int) -> tuple[float, float, float]:
        """Measured share of the window in percent, with its 95 % interval."""
        hits = sum(v == version for v, _ in self._window)
        found = split.share(hits, len(self._window))
        return 100 * found.measured, 100 * found.low, 100 * found.high

    def table(self) -> tuple[list[str], list[list[str]]]:
        """See `Model.table`."""
        header = ["version", "answered well", *(["set", "routed"] if self._weighed else [])]
        header += ["measured, 95 %", "p50 ms", "p99 ms"]
        weights = (self.set_weights, self.routed_weights) if self._weighed else ()
        rows = []
        for number, name in enumerate(self.versions, 1):
            share, low, high = self.share(number)
            p50, p99 = self.latency(number)
            rows.append(
                [
                    name,
                    f"{self._good[number]:,}",
                    *(_percent(w, name) for w in weights),
                    f"{share:.1f} % ({low:.1f} to {high:.1f})",
                    p50,
                    p99,
                ]
            )
        if self.failed:
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in self.failed.most_common())
            empty = [""] * len(weights)
            rows.append(["failed", f"{self.failed.total():,}", *empty, kinds, "", ""])
        return header, rows

    def text(self) -> str:
        """See `Model.text`."""
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.failed.most_common(3))
        doubt = [f"{self.unsent:,} unsent"] if self.unsent else []
        if self.blind:
            doubt.append(f"the generator was blind for {1000 * self.blind:.0f} ms")
        return (
            f"{self.total:,} requests in {self._last:.0f} s, "
            f"{self.failed.total():,} failed{f' ({kinds})' if kinds else ''}; "
            f"shares and latency of the last {len(self._window):,} answers"
            + "".join(f"; {what}" for what in doubt)
        )

    def _announce(self, seconds: float) -> str:
        """What is worth hearing: a new version, a first failure, more of them; not often."""
        at, versions, failed = self._announced
        now = self.failed.total()
        news = []
        if len(self.versions) > versions and versions:
            news.append(f"first answer of {self.versions[-1]}")
        if now and not failed:
            news.append("the first request has failed")
        elif now > failed and seconds - at >= _ANNOUNCE_EVERY:
            news.append(f"{now:,} requests have failed")
        if news:
            self._announced = (seconds, len(self.versions), now)
        elif not versions:
            self._announced = (at, len(self.versions), failed)
        return "; ".join(news).capitalize()


def _percent(weights: Weights, name: str) -> str:
    return f"{weights[name]:g} %" if name in weights else "–"


def _sum(columns: list[list[int]]) -> list[int]:
    longest = max(len(column) for column in columns)
    return [sum(c[i] for c in columns if i < len(c)) for i in range(longest)]
