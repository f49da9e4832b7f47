"""The feed of a run: what the generator writes and everybody else reads, one line per batch.

The file only grows, and a line is written whole. So it can be read while it is written, by
several readers, and again after a restart of the reader.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = "feed.jsonl"
SLOT = 0.1
"""Seconds of schedule in one batch."""


@dataclass(frozen=True, slots=True)
class Response:
    """How one planned request ended. All times are from the schedule, not from the send.

    Args:
        intended: when it was to be sent, in seconds since the start.
        late_ms: how much later it was sent.
        latency_ms: from the intended send to the last byte of the answer, or to the error.
        version: the version header's value; empty without one.
        error: empty for an answer with a status below 400; else `refused`, `reset`, `closed`,
            `timeout`, `tls`, `unreachable`, `not-http`, or the status, e.g. `502`.
    """

    intended: float
    late_ms: float
    latency_ms: float
    version: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What became known of 100 ms of schedule.

    A slow answer comes in a later batch with the same `at`, so that nothing waits for it.

    Args:
        at: the first intended send of these 100 ms, in seconds since the start.
        answers: in order of the intended send.
        planned: requests planned from the start of the run until this line was written.
        unsent: intended sends that did not happen, in seconds since the start.
        blind: stretches (start, seconds) in which the generator itself did not run.
        retried: intended sends of requests that were sent twice: the server had closed the kept
            connection that the first went out on.
    """

    at: float
    answers: tuple[Response, ...]
    planned: int = 0
    unsent: tuple[float, ...] = ()
    blind: tuple[tuple[float, float], ...] = ()
    retried: tuple[float, ...] = ()


@dataclass(frozen=True)
class End:
    """The last line.

    Args:
        why: `done`, `stopped`, `orphaned` (who started it is gone) or `died`.
        planned: requests planned until then.
        seconds: how long it sent.
    """

    why: str
    planned: int
    seconds: float


Known = tuple[int, int, int, str, str]
"""An answer as it is written: index, late µs, latency µs, version, error."""


def slot(index: int, rate: float) -> int:
    """The batch that a request belongs to; exact at the edges, where division is not."""
    return math.floor(index / rate / SLOT + 1e-9)


def line(
    number: int,
    known: list[Known],
    *,
    planned: int,
    unsent: list[int],
    blind: list[tuple[float, float]],
    retried: list[int] | None = None,
) -> str:
    """A batch as text.

    Args:
        number: its slot.
        known: answers of that slot.
        planned: requests planned so far.
        unsent: indexes of requests that were not sent.
        blind: (start, seconds).
        retried: indexes of requests that were sent twice.
    """
    record: dict[str, Any] = {"s": number, "n": planned, "a": sorted(known)}
    if unsent:
        record["u"] = unsent
    if retried:
        record["r"] = retried
    if blind:
        record["b"] = [[round(at, 4), round(seconds, 4)] for at, seconds in blind]
    return json.dumps(record, separators=(",", ":")) + "\n"


def last_line(end: End) -> str:
    """The end as text."""
    return json.dumps({"end": end.why, "n": end.planned, "t": round(end.seconds, 4)}) + "\n"


def first_line(started: float) -> str:
    """The start as text: seconds since the epoch."""
    return json.dumps({"started": started}) + "\n"


class Reader:
    """Reads a feed from its start, as far as it is written.

    Args:
        file: the feed; it need not be there yet.
        rate: planned requests per second.
    """

    def __init__(self, file: Path, rate: float) -> None:
        self._file = file
        self._rate = rate
        self._offset = 0
        self._begins: list[int] = []
        self.started: float | None = None
        self.end: End | None = None

    def read(self) -> Iterator[Batch]:
        """The batches that were written since the last call."""
        try:
            with self._file.open("rb") as feed:
                feed.seek(self._offset)
                for text in feed:
                    if not text.endswith(b"\n"):
                        return  # in the middle of a write
                    begin, self._offset = self._offset, self._offset + len(text)
                    record = json.loads(text)
                    if "s" in record:
                        self._begins.append(begin)
                        yield self._batch(record)
                    elif "end" in record:
                        self.end = End(record["end"], record["n"], record["t"])
                    else:
                        self.started = record["started"]
        except FileNotFoundError:
            return

    def again(self, since: int) -> Iterator[Batch]:
        """The batches from a number on, without reading again those before it."""
        if since < len(self._begins):
            self._offset = self._begins[since]
            del self._begins[since:]
        skip = since - len(self._begins)
        for number, batch in enumerate(self.read()):
            if number >= skip:
                yield batch

    def _batch(self, record: dict[str, Any]) -> Batch:
        rate = self._rate
        return Batch(
            at=round(record["s"] * SLOT, 1),
            answers=tuple(
                Response(index / rate, late / 1000, latency / 1000, version, error)
                for index, late, latency, version, error in record["a"]
            ),
            planned=record["n"],
            unsent=tuple(index / rate for index in record.get("u", ())),
            blind=tuple((at, seconds) for at, seconds in record.get("b", ())),
            retried=tuple(index / rate for index in record.get("r", ())),
        )
