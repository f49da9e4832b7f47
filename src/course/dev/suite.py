"""`make test` and `make test-all`: what has no proof is run; what passed is proven.

`course.dev.schedule` decides what is run and in which order, `course.dev.proving` runs it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from course.artifacts import debian
from course.core import environment, manifest, paths
from course.core.errors import CourseError
from course.core.names import CLUSTER_NAME
from course.core.process import CommandError, default_runner
from course.dev import (
    fingerprint,
    needs,
    outcomes,
    proofs,
    proving,
    results,
    schedule,
    start_files,
)
from course.dev.outcomes import Assignment
from course.dev.proving import NBVAL, Prover, Sources
from course.dev.schedule import Budget, Planned, Reason
from course.dev.tally import Tally, summary
from course.dev.things import Kind, Thing, things
from course.engine import tasks, up

_BIN = Path(sys.executable).parent
_ORDERS = "apps/orders"
ALONE = {"faults": ("-q", "tests/faults"), "road": ("-q", "-s", "tests/road")}
"""What `make test-all` runs beside lessons and has no proof. The road outside is a learner's from
nothing to lesson 1 through a simulated internet, on both of Docker's image stores."""
_UNIT = (
    *("tests", *(f"--ignore=tests/{f}" for f in ("bank", "browser", "cluster", *ALONE))),
    *("-q", "--numprocesses=logical", "--maxprocesses=4", "--dist=worksteal"),
    "--timeout=120",
)
"""Tests without an engine, side by side; how many seconds one may take on a busy machine."""
_UNIT_WAIT = 3000.0
FOLDERS = (Kind.CLUSTER, Kind.BROWSER)
"""Kinds of things that belong to no lesson, and their names for `make test-all`."""
MINUTES = 75
"""Within which one lesson is to be proven anew."""


@dataclass
class Suite:
    """One run of the tests.

    Args:
        root: the clone.
        work: the learner's folder in this run.
        everything: answers are judged to the last one, and figures kept.
        budget: seconds of the run.
        began: when it started, by `time.monotonic()`.
        tally: what it has counted.
        times: stages and their seconds.
    """

    root: Path
    work: Path
    everything: bool = False
    budget: Budget = field(default_factory=Budget)
    began: float = field(default_factory=time.monotonic)
    tally: Tally = field(default_factory=Tally)
    times: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.course = manifest.load(self.root / "course.toml")
        self.things: Sequence[Thing] = ()
        self.fingerprints: Mapping[Thing, str] = {}
        self.old: proofs.Proofs = {}
        self.mine: proofs.Proofs = {}
        self.conditions = needs.conditions()
        self.sources = Sources(self.root, default_runner())
        self.started = False

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Name a stage and note its time.

        Args:
            name: as it is printed.
        """
        _say(f"\n── {name}")
        began = time.monotonic()
        try:
            yield
        finally:
            self.times.append((name, time.monotonic() - began))
            _say(f"── {name}: {self.times[-1][1]:.0f} s")

    def env(self) -> dict[str, str]:
        """Return the variables that every command of the run gets."""
        path = f"{_BIN}{os.pathsep}{os.environ['PATH']}"
        keep = {"COURSE_TEST_KEEP": "1"} if self.everything else {}
        return {"COURSE_WORK": str(self.work), "PATH": path, **keep}

    def call(self, *argv: object, wait: float = 1800, cwd: Path | None = None) -> None:
        """Run a command, its output as it comes.

        Args:
            argv: program and arguments.
            wait: deadline in seconds.
            cwd: folder to run in; the clone by default.
        """
        default_runner().run(argv, timeout=wait, cwd=cwd or self.root, env=self.env(), on_line=_say)

    def pytest(self, *argv: object, wait: float = _UNIT_WAIT) -> None:
        """Run pytest and count its items.

        Args:
            argv: options and files.
            wait: deadline in seconds.

        Raises:
            CourseError: a test failed, or it did not end in time.
        """
        with tempfile.TemporaryDirectory(prefix="course-record-") as folder:
            record = Path(folder) / "record.jsonl"
            try:
                code = proving.pytest(
                    argv, Assignment(str(record)), root=self.root, env=self.env(), wait=wait
                )
            finally:
                self.tally.count(outcomes.read(record))
        if code != 0:
            raise CourseError(
                f"pytest {' '.join(map(str, argv))}: exit code {code}",
                "tests that pass",
                "read what it printed above",
            )

    # -- what is to be proven

    def look(self) -> None:
        """Find the things, their fingerprints, and what is proven."""
        self.conditions = needs.conditions()
        fingerprint.forget()
        self.sources = Sources(self.root, default_runner())
        self.things = things(self.root, self.course)
        self.fingerprints = {
            thing: fingerprint.fingerprint(thing, self.root, self.conditions)
            for thing in self.things
        }
        self.old, self.mine = proofs.committed(self.root), proofs.cached()
        _say(f"engine: {self.conditions.engine}; image store: {self.conditions.image_store}")

    def seconds(self) -> dict[Thing, float]:
        """Return how long each thing took last, or is expected to."""
        known = proofs.last_seconds(self.old, self.mine)
        stated: dict[tuple[str, str], float] = {}
        for lesson in self.course.lessons:
            stated[Kind.LESSON, lesson.stem] = lesson.test_seconds.lesson
            stated[Kind.SOLUTION, lesson.stem] = lesson.test_seconds.solution
        return {
            thing: known.get((str(thing.kind), thing.name))
            or stated.get((thing.kind, thing.stem))
            or schedule.DEFAULT_SECONDS[thing.kind]
            for thing in self.things
        }

    def plan(self, *, ci: bool) -> list[Planned]:
        """Order what is to be run, and say so.

        Args:
            ci: see `schedule.plan`.
        """
        queue = schedule.plan(
            self.things,
            self.fingerprints,
            self.old,
            self.mine,
            ci=ci,
            commit=self.commit(),
            seconds=self.seconds(),
        )
        for line in self._said(queue):
            _say(line)
        return queue

    def _said(self, queue: Sequence[Planned]) -> Iterator[str]:
        known = {**self.old, **self.mine}
        for kind in schedule.ORDER:
            found = [
                known[self.fingerprints[thing]]
                for thing in self.things
                if thing.kind is kind and thing.proves and self.fingerprints[thing] in known
            ]
            dates = sorted({proof.date for proof in found})
            if found:
                yield f"{kind}: {len(found)} proven before, {dates[0]} to {dates[-1]}"
        for planned in queue:
            if planned.reason is Reason.CHANGED and planned.thing.kind is not Kind.ANSWER:
                yield f"no proof of {planned.thing.kind} {planned.thing.name}"
        for reason in Reason:
            those = [planned for planned in queue if planned.reason is reason]
            if those:
                minutes = sum(planned.seconds for planned in those) / 60
                yield f"to run, {reason}: {len(those)}, about {minutes:.0f} min by their last times"

    def build(self, queue: list[Planned]) -> list[Planned]:
        """Start as much of the engine as is needed.

        Args:
            queue: what is to be run.

        Returns:
            What can be run on what was started: building more would take too long.
        """
        need = {planned.thing: needs.level(planned.thing, self.course) for planned in queue}
        costs = [needs.cost(needs.LEVELS[: i + 1]) for i in range(max(need.values()) + 1)]
        most = max((i for i, one in enumerate(costs) if one <= self.budget.building), default=-1)
        _say(f"to build: about {costs[-1] / 60:.0f} min, if nothing can be pulled")
        kept = [planned for planned in queue if need[planned.thing] <= most or self.everything]
        for planned in queue:
            if planned not in kept:
                _say(f"not begun, its images take too long to build: {planned.thing.name}")
        if kept:
            step = needs.LEVELS[max(need[planned.thing] for planned in kept)].step
            with self.stage("course up"):
                self.started = True
                up.up(tasks.Display(), until=step)
            environment.apply()
            browser = any(planned.thing.kind is Kind.BROWSER for planned in kept)
            if browser and not shutil.which("chromium") and debian.is_root_on_debian():
                debian.ensure(["chromium", "fonts-dejavu-core"], lambda what, _: _say(what))
        return kept

    def prove(self, plan: Callable[[], list[Planned]]) -> None:
        """Start the engine and run what is planned; without anything to run, do neither.

        Args:
            plan: orders what is to be run, by the fingerprints that are known.

        Raises:
            CourseError: something failed.
        """
        queue = plan()
        elapsed = time.monotonic() - self.began
        if not schedule.expected(queue, self.budget, elapsed):
            return
        queue = self.build(queue)
        if needs.conditions() != self.conditions:
            _say("the engine that started is another one than was planned for: planned again")
            self.look()
            there = {planned.thing for planned in queue}
            queue = [planned for planned in plan() if planned.thing in there]
        likely = schedule.expected(queue, self.budget, time.monotonic() - self.began)
        _say(f"\nexpected to fit: {len(likely)} of {len(queue)}")
        prover = Prover(
            root=self.root,
            fingerprints=self.fingerprints,
            sources=self.sources,
            budget=self.budget,
            began=self.began,
            commit=self.commit(),
            options=options,
            env=self.env(),
            tally=self.tally,
            stage=self.stage,
            go_on=self.everything,
        )
        prover.run(queue)

    def commit(self) -> str:
        """Return the commit that is checked out; nothing where that is no clone."""
        try:
            return results.head(self.root, default_runner())
        except CommandError:
            return ""

    # -- what is said at the end

    def end(self) -> None:
        """Print where the time went, what is proven, and how many tests passed."""
        _say("\nwhere the time went")
        for name, seconds in self.times:
            _say(f"{seconds:8.0f} s  {name}")
        _say(f"{(time.monotonic() - self.began) / 60:8.1f} min in all")
        for line in summary(self.things, self.fingerprints, self.old, self.mine, self.tally):
            _say(line)


def _say(line: str) -> None:
    print(line, flush=True)


def options(lane: str) -> Sequence[str]:
    """Return what pytest is given for a lane, beside the files.

    Args:
        lane: one of `proving.LANES`.
    """
    if lane == "notebooks":
        return NBVAL
    if lane == "banks":
        return ["-q", "-s"]
    return [*_kind_options(), "-q"] if lane == "engine and cluster" else ["-q"]


def _kind_options() -> list[str]:
    """pytest-kind attaches to the cluster that runs; it must neither make nor remove one."""
    bin_ = paths.state() / "bin"
    return [
        f"--cluster-name={CLUSTER_NAME}",
        "--keep-cluster",
        f"--kubeconfig={paths.kubeconfig()}",
        f"--kind-bin={bin_ / 'kind'}",
        f"--kind-kubectl-bin={bin_ / 'kubectl'}",
    ]


def run(*, everything: bool = False, lesson: str = "") -> None:
    """Run the tests.

    Args:
        everything: prove anew, whatever is proven; figures are kept in bench/RESULTS.md.
        lesson: with `everything`, a lesson's stem or topic, a key of `ALONE`, or one of `FOLDERS`;
            all of these in turn if empty.

    Raises:
        CourseError: something failed, or too much could not be judged; the cluster's state has
            been printed.
    """
    work = Path(tempfile.mkdtemp(prefix="course-test-"))
    suite = Suite(paths.ROOT, work, everything)
    os.environ["COURSE_WORK"] = str(work)
    try:
        if everything:
            _all(suite, lesson)
        else:
            _changed(suite)
        suite.tally.refuse()
    except (CommandError, CourseError):
        if suite.started:
            _state_of_the_cluster()
        raise
    finally:
        if suite.started:
            up.down(lambda what, _: None)
        shutil.rmtree(work, ignore_errors=True)
        suite.end()


def _changed(suite: Suite) -> None:
    """What `make test` does."""
    _without_engine(suite)
    suite.look()
    ci = os.environ.get("CI", "").lower() in ("1", "true")
    suite.prove(lambda: suite.plan(ci=ci))


def _without_engine(suite: Suite) -> None:
    stages: list[tuple[str, Callable[[], None]]] = [
        ("lint and types", partial(_static, suite)),
        ("unit tests", partial(suite.pytest, *_UNIT)),
        ("course dev check", partial(suite.call, _BIN / "course", "dev", "check")),
        ("orders: lint, types, unit tests", partial(_orders, suite)),
        ("start files: lint", partial(_start_files, suite)),
    ]
    for name, do in stages:
        with suite.stage(name):
            do()


def _static(suite: Suite) -> None:
    ruff = _BIN / "ruff"
    suite.call(ruff, "format", "--check", "--quiet", ".")
    suite.call(ruff, "check", "--quiet", ".")
    suite.call(_BIN / "mypy")


def _orders(suite: Suite) -> None:
    folder = suite.root / _ORDERS
    suite.call("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder)
    for script in ("lint", "typecheck", "build", "test"):
        suite.call("npm", "run", "--silent", script, cwd=folder)


def _start_files(suite: Suite) -> None:
    for argv, folder in start_files.commands(suite.root, _BIN):
        suite.call(*argv, cwd=folder)


def names(course: manifest.Manifest) -> list[str]:
    """Return what `make test-all` may be asked for.

    Args:
        course: all lessons.
    """
    return [*(lesson.stem for lesson in course.lessons), *FOLDERS, *ALONE]


def _all(suite: Suite, asked: str) -> None:
    """What `make test-all` does."""
    suite.look()
    for name in [asked] if asked else names(suite.course):
        began = time.monotonic()
        if name in ALONE:
            with suite.stage("course up"):
                suite.started = True
                up.up(tasks.Display())
            environment.apply()
            with suite.stage(name):
                suite.pytest(*ALONE[name], wait=7200)
        else:
            these = [t for t in suite.things if name == _belongs(t)]
            suite.prove(partial(schedule.all_again, these, suite.seconds()))
        minutes = (time.monotonic() - began) / 60
        _say(f"\n{name}: {minutes:.0f} min" + (f", over {MINUTES}" if minutes > MINUTES else ""))


def _belongs(thing: Thing) -> str:
    return thing.kind if thing.kind in FOLDERS else thing.stem


def _state_of_the_cluster() -> None:
    """What a reader of a failed log wants to see last."""
    kubectl = paths.state() / "bin" / "kubectl"
    if not kubectl.exists() or not paths.kubeconfig().exists():
        return
    _say("\n── the cluster's state")
    for words in (
        ["get", "all", "-A", "-o", "wide"],
        ["get", "events", "-A", "--sort-by=.lastTimestamp"],
    ):
        argv = [kubectl, "--kubeconfig", paths.kubeconfig(), *words]
        out = default_runner().run(argv, timeout=60, check=False).stdout.splitlines()
        _say("\n".join(out[-60:]))
