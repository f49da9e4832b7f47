"""How far `course up` is, step by step, as others read it; `course.engine.tasks` runs it.

The state of a run is one small JSON file, so that `course status`, a notebook and a second
terminal see the same thing, and so that an interrupted run leaves an honest trace.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from course.core import files, locks, paths

State = Literal["waiting", "running", "done", "failed"]
INTERRUPTED = "interrupted; to go on: course up"


@dataclass
class Step:
    """How far one task is."""

    name: str
    title: str
    state: State = "waiting"
    fraction: float | None = None
    detail: str = ""
    seconds: float = 0.0
    expected: float = 1.0
    gives: str = ""

    @property
    def share(self) -> float:
        """How far it is, from 0 to 1; where the task does not know, by its usual time."""
        if self.state == "done":
            return 1.0
        if self.fraction is not None:
            return self.fraction
        return min(self.seconds / max(self.expected, 1.0), 0.95)


@dataclass
class Steps:
    """How far a whole run is."""

    steps: list[Step] = field(default_factory=list)
    process: str = ""
    started: float = 0.0
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether the process that does the work is alive."""
        return bool(self.process) and locks.is_alive(self.process) and not self.finished

    @property
    def finished(self) -> bool:
        """Whether every step is done, or one failed."""
        return bool(self.error) or all(s.state == "done" for s in self.steps)

    @property
    def left(self) -> float:
        """Seconds that the remaining steps take, roughly."""
        left = 0.0
        for step in self.steps:
            if step.state == "waiting":
                left += step.expected
            elif step.state == "running":
                left += max(step.expected * (1 - step.share), 1.0)
        return left

    @property
    def share(self) -> float:
        """How far the whole run is, from 0 to 1, by the steps' usual times."""
        total = sum(step.expected for step in self.steps) or 1.0
        return sum(step.expected * step.share for step in self.steps) / total

    def ready(self, capability: str) -> bool:
        """Whether the step that gives this capability is done."""
        return any(s.gives == capability and s.state == "done" for s in self.steps)


def _file() -> Path:
    return paths.state() / "steps.json"


def read() -> Steps | None:
    """The latest run of `course up`, or `None` if there was none."""
    try:
        data = json.loads(_file().read_text())
        return Steps(**{**data, "steps": [Step(**s) for s in data["steps"]]})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        return None  # written by another version of the course; the next `up` writes it anew


def write(run: Steps) -> None:
    """Record where a run of `course up` is, for others to read."""
    files.atomic_write(_file(), json.dumps(asdict(run)))
