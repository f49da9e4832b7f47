"""A run on the terminal: `course load`."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from course import text as text_
from course.errors import CourseError
from course.traffic.feed import Batch
from course.traffic.runs import Run
from course.traffic.summary import BLIND_MS, Summary

_SAY_EVERY = 5.0
_JUDGED_AFTER = 2.0
_UNHELD = 0.5
"""The share of requests late or unsent, over the first seconds, at which a rate is hopeless."""


def seconds(text: str) -> float:
    """A length of time as one types it: `30s`, `2m`, `500ms`, `30`.

    Raises:
        CourseError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text.strip())
    if not match:
        raise CourseError(f"`{text}` is no length of time", "e.g. 30s, 2m or 500ms", "--for 30s")
    return float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2] or "s"]


def header(text: str) -> tuple[str, str]:
    """A header as one types it: `NAME: VALUE`.

    Raises:
        CourseError: it has no colon.
    """
    name, colon, value = text.partition(":")
    if not colon:
        raise CourseError(f"`{text}` is no header", "NAME: VALUE", '-H "x-canary: always"')
    return name.strip(), value.strip()


@dataclass
class _Count:
    """What the display needs of the batches so far."""

    sent: int = 0
    failed: int = 0
    missed: int = 0
    versions: dict[str, int] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        self.sent += len(batch.answers)
        self.missed += len(batch.unsent)
        for answer in batch.answers:
            self.failed += bool(answer.error)
            self.missed += answer.late_ms > BLIND_MS
            if answer.version:
                self.versions[answer.version] = self.versions.get(answer.version, 0) + 1

    def __str__(self) -> str:
        shares = [f"{v} {n / self.sent:.0%}" for v, n in sorted(self.versions.items())]
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
        TextColumn("{task.fields[count]}"),
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
    rows += [
        (f"{n / answered:.1%}", f"version {version} ({n:,})")
        for version, n in summary.by_version.items()
    ]
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
