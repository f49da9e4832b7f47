"""A run on the terminal: `course load`."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from course.core import text as text_
from course.core.errors import CourseError
from course.measure.traffic.feed import Batch
from course.measure.traffic.runs import Run
from course.measure.traffic.summary import BLIND_MS, Summary

_SAY_EVERY = 5.0
_JUDGED_AFTER = 2.0
_SHOWN, _LISTED = 4, 20
"""Versions on the line of a run that goes on, and in the summary: a header may be another each
time."""
_NUMBER = r"(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12})"
_MS = {"": 1000, "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_UNHELD = 0.5
"""The share of requests late or unsent, over the first seconds, at which a rate is hopeless."""


def seconds(text: str) -> float:
    """A length of time as one types it: `30s`, `2m`, `1m30s`, `500ms`, `30`.

    Raises:
        CourseError: it is none.
    """
    words = text.strip()
    if not re.fullmatch(rf"{_NUMBER}|({_NUMBER}\s*(ms|s|m|h)\s*)+", words):
        raise CourseError(
            f"`{text}` is no length of time", "e.g. 30s, 2m, 1m30s or 500ms", "--for 30s"
        )
    parts = re.findall(rf"({_NUMBER})\s*(ms|s|m|h|$)", words)
    # Not in floats: 0.3 s are not 300 × 0.001 s.
    return float(sum(Fraction(number) * _MS[unit] for number, unit in parts) / 1000)


def header(text: str) -> tuple[str, str]:
    """A header as one types it: `NAME: VALUE`.

    Raises:
        CourseError: it has no colon.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise CourseError(f"`{text}` is no header", "NAME: VALUE", '-H "x-canary: always"')
    return name, value


@dataclass
class _Count:
    """What the display needs of the batches so far."""

    sent: int = 0
    failed: int = 0
    missed: int = 0
    versions: Counter[str] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        self.sent += len(batch.answers)
        self.missed += len(batch.unsent)
        for answer in batch.answers:
            self.failed += bool(answer.error)
            self.missed += answer.late_ms > BLIND_MS
            if answer.version:
                self.versions[answer.version] += 1

    def __str__(self) -> str:
        most = sorted(self.versions.most_common(_SHOWN))
        shares = [f"{v} {n / self.sent:.0%}" for v, n in most]
        if len(self.versions) > _SHOWN:
            shares.append(f"{len(self.versions) - _SHOWN:,} other versions")
        return "  ".join([f"{self.sent:,} answered", f"{self.failed:,} failed", *shares])


def watch(run: Run) -> Summary:
    """Show a run until it ends. Ctrl-C ends it; what was measured is given all the same.

    Args:
        run: the run.

    Returns:
        Its summary; `ended` is `stopped` after Ctrl-C.

    Raises:
        CourseError: this machine does not hold the rate.
    """
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.fields[rate]:g}/s"),
        BarColumn(),
        TextColumn("{task.fields[count]}", markup=False),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        refresh_per_second=5,
    )
    count, said = _Count(), time.monotonic()
    try:
        with progress:
            task = progress.add_task("", total=run.plan.seconds, rate=run.plan.rate, count=count)
            for batch in run.follow():
                count.add(batch)
                progress.update(task, completed=batch.at, count=count)
                if not console.is_terminal and time.monotonic() - said > _SAY_EVERY:
                    said = time.monotonic()
                    print(f"… {batch.at:.0f} s of {run.plan.seconds:g} s: {count}", file=sys.stderr)
                _refuse_unheld(run, batch, count)
        return run.wait()
    except KeyboardInterrupt:
        return run.stop()
    finally:
        run.stop()


def _refuse_unheld(run: Run, batch: Batch, count: _Count) -> None:
    known = count.sent + len(batch.unsent)
    if batch.at < _JUDGED_AFTER or batch.at > _JUDGED_AFTER + 0.2 or not known:
        return
    if count.missed / batch.planned > _UNHELD:
        held = (batch.planned - count.missed) / (batch.at + 0.1)
        run.stop()
        raise CourseError(
            f"of the first {batch.planned:,} requests {count.missed:,} were late or not sent: "
            f"this machine does not hold {run.plan.rate:g}/s now",
            "a rate that it holds",
            f"--rate {max(1, round(held / 2)):d}, or end what keeps the processor busy",
        )


def show(summary: Summary) -> None:
    """Print a summary for people."""
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    rows: list[tuple[str, str]] = [
        (f"{summary.planned:,}", f"planned in {summary.seconds:g} s ({summary.rate_achieved:g}/s)"),
        (f"{summary.ok:,}", "ok"),
        (f"{summary.failed:,}", "failed"),
    ]
    rows += [(f"{n:,}", f"  {kind}") for kind, n in summary.errors.items()]
    rows += [
        (f"{summary.late:,}", "late: sent more than 10 ms after their time"),
        (f"{summary.unsent:,}", "unsent"),
        (f"{summary.blind_ms:,.0f} ms", "blind: the generator itself did not run"),
    ]
    answered = sum(summary.by_version.values())
    versions = Counter(summary.by_version)
    most = sorted(versions.most_common(_LISTED))
    rows += [(f"{n / answered:.1%}", f"version {escape(version)} ({n:,})") for version, n in most]
    if others := len(versions) - len(most):
        n = answered - sum(n for _, n in most)
        rows.append((f"{n / answered:.1%}", f"{others:,} other versions ({n:,})"))
    if summary.retried:
        rows.append((f"{summary.retried:,}", "sent twice: the server had closed the connection"))
    rows += [
        (f"{ms:,.1f} ms", f"{name} from intended send to answer")
        for name, ms in (
            ("p50", summary.p50_ms),
            ("p90", summary.p90_ms),
            ("p99", summary.p99_ms),
            ("max", summary.max_ms),
        )
    ]
    longest = sorted(summary.outages, key=lambda outage: -outage[1])[:3]
    rows += [
        (f"{length * 1000:,.0f} ms", f"without an answer, from {at:.2f} s on")
        for at, length in longest
    ]
    for row in rows:
        table.add_row(*row)
    console = text_.console()
    console.print(table)
    console.print(summary.verdict, markup=False)


def refuse_none(run: Run, summary: Summary) -> None:
    """Say that a run did not take place, or not to its end.

    Args:
        run: the run, ended.
        summary: its summary.

    Raises:
        CourseError: its generator died, or sent nothing.
    """
    if summary.ended == "died":
        words = run.last_words or "killed from outside, without a word"
        raise CourseError(
            f"the generator died after {summary.planned:,} planned requests ({words})",
            "a run to its end",
            f"what it said is in {run.folder / 'log'}",
        )
    if summary.ended == "done" and summary.unsent == summary.planned:
        raise CourseError(
            f"none of {summary.planned:,} requests was sent: this machine had no time, port or "
            "file left for one",
            "a run that sends",
            "end what keeps the machine busy: top; ss -s; ulimit -n",
        )
