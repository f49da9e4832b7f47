"""Run things by pytest, in few processes, and keep a proof of each as soon as it has passed."""

from __future__ import annotations

import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from course.core.errors import CourseError
from course.core.process import Runner, default_runner
from course.dev import outcomes, proofs
from course.dev.outcomes import Assignment, Record
from course.dev.proofs import Proof
from course.dev.schedule import Budget, Planned, Reason
from course.dev.tally import Tally, command
from course.dev.things import Kind, Thing

NBVAL = (
    *("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "900"),
    *("--nbval-sanitize-with", "tests/nbval.cfg", "--durations=5", "-q"),
)
"""How pytest runs notebooks and compares what their armed cells show."""
LANES = {
    Kind.SOLUTION: "notebooks",
    Kind.LESSON: "notebooks",
    Kind.ANSWER: "banks",
    Kind.LAB: "banks",
    Kind.CLUSTER: "engine and cluster",
    Kind.BROWSER: "browser",
}
"""Kinds that one process of pytest can run together: starting it and its imports cost seconds.

They stand side by side in `schedule.ORDER`, or a lane would begin more than once."""
_SOURCES = (
    *("src", "tests", "apps", "airgap", "notebooks", "labs", "solutions"),
    *("course.toml", "pyproject.toml", "uv.lock"),
)
"""What fingerprints are made of. A log that grows beside it is none of it, nor are figures."""
_LOOK_EVERY = 2.0
_UNJUDGED = re.compile(rf"(?: · |\(){outcomes.UNJUDGED}")
"""As a verdict says it in its line and on its card: nbval shows the one that it compared first."""
"""What a check's result says in a notebook whose machine was in the way."""
_LONGEST = 7200.0
Options = Callable[[str], Sequence[str]]
"""Lane → what pytest is given beside the files."""


@dataclass
class Sources:
    """The files of the clone as they were: what passes after an edit proves nothing of either.

    Args:
        root: the clone.
        runner: runs git.
    """

    root: Path
    runner: Runner

    def __post_init__(self) -> None:
        argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]
        argv += _SOURCES
        listed = self.runner.run(argv, timeout=60, cwd=self.root, check=False).stdout
        self._files = [self.root / name for name in listed.split("\0") if name]
        self._before = self._seen()

    def _seen(self) -> dict[Path, tuple[int, int]]:
        seen = {}
        for file in self._files:
            try:
                facts = file.lstat()
            except OSError:
                continue
            seen[file] = (facts.st_mtime_ns, facts.st_size)
        return seen

    def edited(self) -> list[Path]:
        """Return the files that have been written or removed since."""
        now = self._seen()
        return [file for file, facts in self._before.items() if now.get(file) != facts]


@dataclass
class Prover:
    """Proves things, one lane after the other.

    Args:
        root: the clone, where pytest runs.
        fingerprints: thing → its fingerprint.
        sources: as they were before the fingerprints were taken.
        budget: seconds of the run.
        began: when it started, by `time.monotonic()`.
        commit: that is checked out.
        options: of each lane.
        env: variables for pytest.
        tally: what is counted.
        stage: names a lane and notes its time.
        go_on: after a failure, finish what pytest has been given.
        runner: runs pytest and git.
        say: prints a line.
    """

    root: Path
    fingerprints: Mapping[Thing, str]
    sources: Sources
    budget: Budget
    began: float
    commit: str
    options: Options
    env: Mapping[str, str]
    tally: Tally
    stage: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext()
    go_on: bool = False
    runner: Runner = field(default_factory=default_runner)
    say: Callable[[str], None] = lambda line: print(line, flush=True)

    def __post_init__(self) -> None:
        self._edited = False

    def run(self, queue: Sequence[Planned]) -> None:
        """Run what is planned and fits, in its order.

        Args:
            queue: as `schedule.plan` or `schedule.all_again` ordered it.

        Raises:
            CourseError: something failed; what passed before has been kept.
        """
        for (lane, _, _), group in groupby(queue, self._together):
            these = [one for one in group if self.budget.fits(one, self._elapsed())]
            if these:
                with self.stage(f"{lane}, {these[0].reason}: {len(these)}"):
                    self._lane(lane, these)

    def _together(self, planned: Planned) -> tuple[str, Reason, str]:
        lane, kind = LANES[planned.thing.kind], planned.thing.kind
        # A notebook may be asked for twice, before and after the rest of its lesson.
        return lane, planned.reason, kind if planned.reason is Reason.ASKED else ""

    def _elapsed(self) -> float:
        return time.monotonic() - self.began

    def _lane(self, lane: str, these: list[Planned]) -> None:
        """Run things of one lane; a notebook whose machine was in the way is asked again once."""
        again: set[Thing] = set()
        while these:
            record, code = self._pytest(lane, these)
            failed = record.ended("failed", {one.thing.node for one in these})
            if not failed:
                if code != 0:
                    raise CourseError(
                        f"pytest ended with code {code} and names no test that failed",
                        "tests that pass",
                        "read what it printed above",
                    )
                return
            for node, outcome in failed.items():
                thing = next((one.thing for one in these if one.thing.node == node), None)
                if thing is None or not _UNJUDGED.search(outcome.said):
                    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
                    raise CourseError(f"{node} failed{more}", "tests that pass", _again(thing))
                self.tally.failed -= len(record.of(node, "failed"))
                if thing in again:
                    self.tally.unjudged[thing.node] = outcomes.UNJUDGED
                else:
                    self.say(f"asked again: {thing.kind} {thing.name}")
                again.add(thing)
            gone = {*self.tally.unjudged} | {t.node for t in self.tally.things}
            these = [one for one in these if one.thing.node not in gone]

    def _pytest(self, lane: str, these: Sequence[Planned]) -> tuple[Record, int]:
        factor = self.budget.factor
        nodes = {one.thing.node: one.seconds * factor for one in these}
        asked = these[0].reason is Reason.ASKED
        late = these[0].reason is Reason.CHANGED
        with tempfile.TemporaryDirectory(prefix="course-record-") as folder:
            record = Path(folder) / "record.jsonl"
            never = float("inf")
            assignment = Assignment(
                str(record),
                nodes,
                begin_by=never if asked or late else self.began + self.budget.begin,
                end_by=never if asked else self.began + self.budget.end,
            )
            # More than any one thing may overrun: CI would end us without a word.
            left = self.began + self.budget.last - time.monotonic()
            wait = _LONGEST if asked else max(left, 60.0)
            stop = [] if self.go_on else ["--exitfirst"]
            files = dict.fromkeys(node.split("::")[0] for node in nodes)
            argv = [*self.options(lane), *stop, *files]
            with self._kept(record, [one.thing for one in these]):
                code = pytest(
                    argv, assignment, root=self.root, env=self.env, wait=wait, runner=self.runner
                )
            read = outcomes.read(record)
        self._count(read, these)
        return read, code

    def _count(self, record: Record, these: Sequence[Planned]) -> None:
        self.tally.count(record)
        answers = {one.thing.node for one in these if one.thing.kind is Kind.ANSWER}
        ended = [o for o in record.outcomes.values() if o.ending != "skipped"]
        self.tally.judged += sum(outcome.item in answers for outcome in ended)
        self.tally.unjudged |= {o.item: o.said for o in ended if o.ending == "unjudged"}

    @contextmanager
    def _kept(self, record: Path, these: Sequence[Thing]) -> Iterator[None]:
        """Keep a proof of each thing as soon as the record shows that it has passed."""
        by_node = {thing.node: thing for thing in these}
        done: set[str] = set()
        over = threading.Event()
        wrong: list[Exception] = []

        def look() -> None:
            found = outcomes.read(record).passed([node for node in by_node if node not in done])
            if found:
                done.update(found)
                self._keep({by_node[node]: seconds for node, seconds in found.items()})

        def watch() -> None:
            try:
                while not over.wait(_LOOK_EVERY):
                    look()
            except Exception as error:
                wrong.append(error)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            look()
        if wrong:
            raise wrong[0]

    def _keep(self, seconds: Mapping[Thing, float]) -> None:
        edited = [] if self._edited else self.sources.edited()
        if edited:
            self._edited = True
            names = ", ".join(str(file.relative_to(self.root)) for file in edited[:3])
            self.say(f"edited while the tests ran: {names}; what passes from now on is no proof")
        if self._edited:
            return
        today = time.strftime("%Y-%m-%d")
        new = {
            self.fingerprints[thing]: Proof(
                str(thing.kind), thing.name, self.commit, today, round(spent, 1)
            )
            for thing, spent in seconds.items()
        }
        self.tally.proven |= new
        self.tally.things |= set(seconds)
        proofs.keep(new)


def _again(thing: Thing | None) -> str:
    return "read what it printed above" if thing is None else command(thing)


def pytest(
    argv: Sequence[object],
    assignment: Assignment,
    *,
    root: Path,
    env: Mapping[str, str],
    wait: float,
    runner: Runner | None = None,
) -> int:
    """Run pytest with the recorder, its output as it comes.

    Args:
        argv: options and files.
        assignment: what it has to do, and where it records that.
        root: where it runs.
        env: variables for it.
        wait: deadline in seconds.
        runner: runs it.

    Returns:
        Its exit code.

    Raises:
        CommandError: it did not end in time.
    """
    file = Path(assignment.record).with_suffix(".assignment")
    assignment.write(file)
    words: list[object] = [sys.executable, "-m", "pytest", "-p", "course.dev.recorder", *argv]
    done = (runner or default_runner()).run(
        words,
        timeout=wait,
        cwd=root,
        env={**env, outcomes.ASSIGNMENT: str(file)},
        on_line=lambda line: print(line, flush=True),
        check=False,
    )
    return done.code
