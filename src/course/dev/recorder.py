"""A plugin of pytest (`-p course.dev.recorder`): runs what it is assigned and records each item."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from course.dev import outcomes
from course.dev.outcomes import Assignment, Ending, Outcome

_LONGEST = 20_000
"""Characters of a failure that are kept."""


def pytest_configure(config: pytest.Config) -> None:
    """Take part if there is an assignment."""
    file = os.environ.get(outcomes.ASSIGNMENT)
    # Of pytest-xdist's processes the one that hears of all items writes them down.
    if file and not hasattr(config, "workerinput"):
        assignment = Assignment.read(Path(file))
        config.pluginmanager.register(Recorder(assignment), "course-recorder")


class Recorder:
    """Selects and orders the items, begins none too late, and writes down how each ended."""

    def __init__(self, assignment: Assignment) -> None:
        self._assigned = assignment
        self._file = Path(assignment.record)
        self._begun: set[str] = set()
        self._reports: dict[str, list[pytest.TestReport]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep what is wanted, in the order of the assignment.

        Raises:
            pytest.UsageError: something that is wanted is not there.
        """
        wanted = list(self._assigned.wanted)
        if not wanted:
            return
        nodes = {item.nodeid: self._assigned.node(item.nodeid) for item in items}
        missing = [node for node in wanted if node not in nodes.values()]
        if missing:
            raise pytest.UsageError(f"pytest finds no test in: {', '.join(missing)}")
        place = {node: i for i, node in enumerate(wanted)}
        kept = [item for item in items if nodes[item.nodeid] is not None]
        left = [item for item in items if nodes[item.nodeid] is None]
        items[:] = sorted(kept, key=lambda item: place[str(nodes[item.nodeid])])
        if left:
            config.hook.pytest_deselected(items=left)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write down what is going to run."""
        outcomes.append(self._file, {"collected": [item.nodeid for item in session.items]})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Write the same down where the items run in processes of their own: each has them all."""
        outcomes.append(self._file, {"collected": ids})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write down what could not be read."""
        if report.failed:
            self._write(Outcome(report.nodeid, "failed", 0.0, report.longreprtext[-_LONGEST:]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out what would not end in time; what is begun is finished."""
        node = self._assigned.node(item.nodeid)
        if node is None or node in self._begun:
            return
        now = time.monotonic()
        if now > self._assigned.begin_by or (
            now + self._assigned.wanted[node] > self._assigned.end_by
        ):
            pytest.skip(outcomes.LEFT_OUT)
        self._begun.add(node)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write down how an item ended, after its tear-down."""
        phases = self._reports.setdefault(report.nodeid, [])
        phases.append(report)
        if report.when == "teardown":
            del self._reports[report.nodeid]
            self._write(_outcome(report.nodeid, phases))

    def _write(self, outcome: Outcome) -> None:
        outcomes.append(self._file, asdict(outcome))


def _outcome(item: str, phases: list[pytest.TestReport]) -> Outcome:
    seconds = round(sum(phase.duration for phase in phases), 2)
    for phase in phases:
        if phase.failed:
            return Outcome(item, "failed", seconds, phase.longreprtext[-_LONGEST:])
    for phase in phases:
        if phase.skipped:
            said = _reason(phase.longrepr)
            unjudged = said.startswith(outcomes.UNJUDGED)
            ending: Ending = "unjudged" if unjudged else "skipped"
            return Outcome(item, ending, seconds, said)
    return Outcome(item, "passed", seconds)


def _reason(longrepr: Any) -> str:
    """Why a test was skipped: the last of file, line and reason."""
    said = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr or "")
    return said.removeprefix("Skipped: ")
