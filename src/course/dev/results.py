"""Figures that were measured: kept with their conditions, told in `bench/RESULTS.md`.

A row stays until it is measured again. One whose subject has changed since is marked stale.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from course.core import paths
from course.core.process import Runner, default_runner

_HEAD = """\
# Results

Figures that were measured, each with its conditions; written by `make bench` and `make test-all`.
A row is *stale* where what it measured has changed since. Times are of a noisy machine: compare
ratios, not seconds. CPU pressure is the share of the last ten seconds in which some process waited
for a processor (`/proc/pressure/cpu`).

| what | figure | bound | holds | conditions | measured |
|---|---|---|---|---|---|
"""

_BUSY = 100_000
"""Microseconds of a second in which a process that could have run waited: an idle cluster has
fewer."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Args:
        name: what was measured; a row of the same name is replaced.
        figure: the value, in words, with its unit.
        bound: what it has to be; empty if it is only told.
        holds: whether it is.
        conditions: under which it was measured.
        subject: paths of what it measures; a change of them makes the row stale.
        commit: the commit it was measured at.
        date: the day it was measured.
    """

    name: str
    figure: str
    bound: str = ""
    holds: bool = True
    conditions: str = ""
    subject: tuple[str, ...] = ("src",)
    commit: str = ""
    date: str = ""


def machine() -> str:
    """The machine as a condition: processors, system, CPU pressure now."""
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, pressure {pressure()}"
    )


def p95(values: Sequence[float]) -> float:
    """The smallest of the values that 95 of 100 do not exceed (nearest rank)."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


def pressure() -> str:
    """CPU pressure over ten seconds, or `unknown` where the kernel does not tell."""
    kept = _kept_waiting()
    return f"{kept['avg10']} %" if kept else "unknown"


def quiet() -> None:
    """Wait until the processors have been free for a second: what was begun before has ended.

    At most half a minute, and not at all where the kernel does not tell.
    """
    for _ in range(30):
        before = _kept_waiting()
        time.sleep(1 if before else 0)
        if int(_kept_waiting().get("total", 0)) - int(before.get("total", 0)) < _BUSY:
            return


def _kept_waiting() -> dict[str, str]:
    """What the kernel says of processes that waited for a processor; empty if it does not tell."""
    try:
        words = Path("/proc/pressure/cpu").read_text().splitlines()[0].split()
    except OSError:
        return {}
    return dict(word.split("=") for word in words[1:])


def _store(root: Path) -> Path:
    return root / "bench" / "results.json"


def read(root: Path = paths.ROOT) -> list[Row]:
    """All rows that are kept."""
    if not _store(root).exists():
        return []
    found = json.loads(_store(root).read_text(encoding="utf-8"))
    return [Row(**{**row, "subject": tuple(row["subject"])}) for row in found]


def keep(rows: Iterable[Row], *, root: Path = paths.ROOT, runner: Runner | None = None) -> None:
    """Keep rows, each in place of an older one of its name, and write the page.

    Args:
        rows: what was measured; commit and date are added.
        root: the clone.
        runner: runs git.
    """
    runner = runner or default_runner()
    commit = head(root, runner)
    kept = {row.name: row for row in read(root)}
    for row in rows:
        kept[row.name] = replace(row, commit=commit, date=time.strftime("%Y-%m-%d"))
    _store(root).parent.mkdir(exist_ok=True)
    text = json.dumps([asdict(row) for row in kept.values()], indent=1, ensure_ascii=False)
    _store(root).write_text(text + "\n", encoding="utf-8")
    (root / "bench" / "RESULTS.md").write_text(page(root, runner), encoding="utf-8")


def page(root: Path, runner: Runner) -> str:
    """The page: every row, the stale ones marked."""
    lines = []
    for row in read(root):
        changed = changed_since(row.commit, root, runner)
        stale = changed is None or any(
            file == path or file.startswith(path.rstrip("/") + "/")
            for file in changed
            for path in row.subject
        )
        holds = ("yes" if row.holds else "**no**") if row.bound else ""
        measured = f"{row.date}, {row.commit[:10]}" + (" *(stale)*" if stale else "")
        cells = (row.name, row.figure, row.bound, holds, row.conditions, measured)
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return _HEAD + "\n".join(lines) + "\n"


def head(root: Path, runner: Runner) -> str:
    """The commit that is checked out."""
    return runner.run(["git", "rev-parse", "HEAD"], timeout=30, cwd=root).stdout.strip()


def changed_since(commit: str, root: Path, runner: Runner) -> set[str] | None:
    """Files that differ between a commit and the working tree; `None` if it is not known here."""
    if not commit:
        return None
    done = runner.run(
        ["git", "diff", "--name-only", commit, "--"], timeout=60, cwd=root, check=False
    )
    return set(done.stdout.splitlines()) if done.code == 0 else None
