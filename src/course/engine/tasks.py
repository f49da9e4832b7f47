"""Run the tasks of `course up` in order: record each, show how far it is."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TextIO

from course.core import locks
from course.core.errors import CourseError
from course.core.report import Report
from course.core.steps import INTERRUPTED, Step, Steps, write

if TYPE_CHECKING:
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

_WRITE_EVERY = 0.2
_SAY_EVERY = 20.0


@dataclass(frozen=True)
class Task:
    """One thing that `course up` makes true.

    Args:
        name: a short word, stable.
        title: what a learner reads.
        do: makes it true; cheap when it already is.
        seconds: how long it takes from nothing on two cores, for what is left.
        gives: the capability that a lesson may ask for and that is there afterwards.
    """

    name: str
    title: str
    do: Callable[[Report], None]
    seconds: float = 1.0
    gives: str = ""


class Display:
    """Shows a run on a terminal as bars, elsewhere as one line a step."""

    def __init__(self, out: TextIO | None = None, *, machine: bool = False) -> None:
        self._out = out or sys.stderr
        self._machine = machine
        self._said = 0.0
        self._live: Live | None = None
        if not machine and self._out.isatty():
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(file=self._out), refresh_per_second=5)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the display on screen."""
        if self._live is None:
            yield
            return
        with self._live:
            yield

    def update(self, run: Steps, step: Step, *, edge: bool) -> None:
        """Show where the run is.

        Args:
            run: all steps.
            step: the one that moved.
            edge: it began or ended, so this must be shown.
        """
        if self._live is not None:
            self._live.update(_table(run))
            return
        now = time.monotonic()
        if not edge and now - self._said < _SAY_EVERY:
            return
        self._said = now
        if self._machine:
            print(json.dumps(asdict(step)), file=self._out, flush=True)
            return
        mark = {"running": "…", "done": "✓", "failed": "✗", "waiting": "·"}[step.state]
        share = f" {step.share:.0%}" if step.state == "running" else ""
        detail = f"  {step.detail[:90]}" if step.detail and step.state == "running" else ""
        took = f"  {step.seconds:.1f} s" if step.seconds >= 0.05 else ""
        left = (
            f"  (about {_clock(run.left)} left)" if step.state == "running" and run.left > 5 else ""
        )
        print(f"{mark} {step.title}{share}{took}{detail}{left}", file=self._out, flush=True)


def _clock(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _table(run: Steps) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 1))
    mark = {"running": "[cyan]…", "done": "[green]✓", "failed": "[red]✗", "waiting": "[dim]·"}
    for step in run.steps:
        running = step.state == "running"
        bar: ProgressBar | str = ""
        if running:
            bar = ProgressBar(total=1.0, completed=step.share, width=24)
        took = _clock(step.seconds) if step.seconds >= 0.5 else ""
        detail = f"[dim]{step.detail[:60]}" if running else ""
        table.add_row(mark[step.state], step.title, bar, took, detail)
    if run.left > 1 and not run.finished:
        table.add_row("", f"[dim]about {_clock(run.left)} left", "", "", "")
    return table


def run(tasks: Sequence[Task], display: Display) -> Steps:
    """Do all tasks in order, recording and showing each.

    Args:
        tasks: what to make true.
        display: where to show it.

    Returns:
        The finished run.

    Raises:
        CourseError: as the task that failed raised it; recorded first.
    """
    record = Steps(
        [Step(t.name, t.title, expected=t.seconds, gives=t.gives) for t in tasks],
        process=locks.process_key(),
        started=time.time(),
    )
    write(record)
    with display.shown():
        for task, step in zip(tasks, record.steps, strict=True):
            _one(task, step, record, display)
    return record


def _one(task: Task, step: Step, record: Steps, display: Display) -> None:
    began = time.monotonic()
    written = 0.0

    def show(*, edge: bool) -> None:
        nonlocal written
        step.seconds = round(time.monotonic() - began, 2)
        if edge or time.monotonic() - written > _WRITE_EVERY:
            written = time.monotonic()
            write(record)
            display.update(record, step, edge=edge)

    def report(detail: str, fraction: float | None = None) -> None:
        step.detail = detail
        if fraction is not None:
            step.fraction = min(max(fraction, 0.0), 1.0)
        show(edge=False)

    step.state = "running"
    write(record)
    try:
        task.do(report)
    except BaseException as error:
        step.state = "failed"
        if isinstance(error, KeyboardInterrupt):
            record.error = INTERRUPTED
        else:
            record.error = str(error) if isinstance(error, CourseError) else type(error).__name__
        show(edge=True)
        raise
    step.state, step.fraction = "done", 1.0
    show(edge=True)
