"""`make test`: every stage in order, with its time; stops at the first that fails."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from course import debian, engines, manifest, paths, steps, up
from course.engines import base
from course.errors import CourseError
from course.run import CommandError, runner

_BIN = Path(sys.executable).parent
_ORDERS = paths.ROOT / "apps" / "orders"
BUDGET_MINUTES = (65, 40)
"""Of the whole suite on two cores: with nothing cached, and with the caches."""
NBVAL = (
    *("--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout", "900"),
    *("--nbval-sanitize-with", "tests/nbval.cfg", "--durations=5", "-q"),
)
"""How pytest runs notebooks and compares what their armed cells show."""
ALONE = {"faults": ("-q", "tests/faults"), "road": ("-q", "-s", "tests/road")}
"""Stages of `make test-all` that belong to no lesson. The road outside is a learner's from nothing
to lesson 1 through a simulated internet, on both of Docker's image stores."""


@dataclass
class Suite:
    """One run of the tests."""

    work: Path
    part: int = 0
    times: list[tuple[str, float]] = field(default_factory=list)

    def stage(self, name: str, do: Callable[[], None]) -> None:
        """Run one stage and note its time."""
        print(f"\n── {name}", flush=True)
        began = time.monotonic()
        try:
            do()
        finally:
            self.times.append((name, time.monotonic() - began))
            print(f"── {name}: {self.times[-1][1]:.0f} s", flush=True)

    def call(self, *argv: object, wait: float = 1800, cwd: Path = paths.ROOT) -> None:
        """Run a command, its output as it comes."""
        env = {"COURSE_WORK": str(self.work), "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}"}
        env["COURSE_TEST_PART"] = str(self.part)
        runner().run(argv, timeout=wait, cwd=cwd, env=env, on_line=_say)

    def pytest(self, *argv: object, wait: float = 3000) -> None:
        """Run pytest with the engine's variables."""
        self.call(sys.executable, "-m", "pytest", *argv, wait=wait)


def _say(line: str) -> None:
    print(line, flush=True)


def run(*, everything: bool = False, part: int = 0, only: str = "") -> None:
    """Run the tests.

    Args:
        everything: all answers whatever the time, each cycle twice, the faults and the road
            outside; the figures are kept in bench/RESULTS.md.
        part: lessons of this part of the course only; 0 for all.
        only: one stage that belongs to no lesson: a key of `ALONE`.

    Raises:
        CourseError: a stage failed; the cluster's state has been printed.
    """
    work = Path(tempfile.mkdtemp(prefix="course-test-"))
    suite = Suite(work, part)
    began = time.monotonic()
    budget = BUDGET_MINUTES[1 if (paths.cache() / "docker").exists() else 0]
    os.environ["COURSE_WORK"] = str(work)
    if everything:
        os.environ["COURSE_TEST_KEEP"] = "1"
    else:
        os.environ["COURSE_TEST_UNTIL"] = str(time.time() + budget * 60)
    try:
        if only:
            _engine(suite)
        else:
            _stages(suite, times=2 if everything else 1)
        for name in (only,) if only else ALONE if everything else ():
            suite.stage(name, partial(suite.pytest, *ALONE[name], wait=7200))
    except (CommandError, CourseError):
        _state_of_the_cluster()
        raise
    finally:
        up.down(lambda what, _: None)
        shutil.rmtree(work, ignore_errors=True)
        print("\nwhere the time went", flush=True)
        for name, seconds in suite.times:
            print(f"{seconds:8.0f} s  {name}")
        total = (time.monotonic() - began) / 60
        fresh, warm = BUDGET_MINUTES
        print(f"{total:8.1f} minutes in all; the budget is {fresh} fresh, {warm} warm")


def _stages(suite: Suite, *, times: int) -> None:
    lessons = [lo for lo in manifest.load().lessons if suite.part in (0, lo.part)]
    ruff = _BIN / "ruff"
    suite.stage("lint and types", lambda: _static(suite, ruff))
    suite.stage("unit tests", lambda: suite.pytest("tests", "-q"))
    suite.stage("course dev check", lambda: suite.call(_BIN / "course", "dev", "check"))
    suite.stage("orders: lint, types, unit tests", lambda: _orders(suite))
    _engine(suite)
    suite.stage("engine and cluster", lambda: suite.pytest(*_kind_options(), "-q", "tests/cluster"))
    for kind in ("notebooks", "solutions") * times:
        files = [f"{kind}/{lesson.stem}.ipynb" for lesson in lessons]
        suite.stage(f"{kind}, by nbval", partial(suite.pytest, *NBVAL, *files))
    suite.stage("in the browser", lambda: _browser(suite))
    # Last: what is left of the time is theirs.
    suite.stage("labs unsolved, banks", lambda: suite.pytest("-q", "-s", "tests/bank", wait=7200))
    exercises = sum(len(lesson.exercises) for lesson in lessons)
    print(f"\n{len(lessons)} lessons, {exercises} exercises, each solved and unsolved")


def _engine(suite: Suite) -> None:
    suite.stage("course up", lambda: up.up(steps.Display()))
    os.environ.update(engines.environment())


def _static(suite: Suite, ruff: Path) -> None:
    suite.call(ruff, "format", "--check", "--quiet", ".")
    suite.call(ruff, "check", "--quiet", ".")
    suite.call(_BIN / "mypy")


def _orders(suite: Suite) -> None:
    suite.call("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=_ORDERS)
    for script in ("lint", "typecheck", "build", "test"):
        suite.call("npm", "run", "--silent", script, cwd=_ORDERS)


def _browser(suite: Suite) -> None:
    if not shutil.which("chromium") and debian.is_root_on_debian():
        debian.ensure(["chromium", "fonts-dejavu-core"], lambda what, _: _say(what))
    suite.pytest("-q", "tests/browser")


def _kind_options() -> list[str]:
    """pytest-kind attaches to the cluster that runs; it must neither make nor remove one."""
    bin_ = paths.state() / "bin"
    return [
        f"--cluster-name={base.NAME}",
        "--keep-cluster",
        f"--kubeconfig={paths.kubeconfig()}",
        f"--kind-bin={bin_ / 'kind'}",
        f"--kind-kubectl-bin={bin_ / 'kubectl'}",
    ]


def _state_of_the_cluster() -> None:
    """What a reader of a failed log wants to see last."""
    kubectl = paths.state() / "bin" / "kubectl"
    if not kubectl.exists() or not paths.kubeconfig().exists():
        return
    print("\n── the cluster's state", flush=True)
    for words in (
        ["get", "all", "-A", "-o", "wide"],
        ["get", "events", "-A", "--sort-by=.lastTimestamp"],
    ):
        argv = [kubectl, "--kubeconfig", paths.kubeconfig(), *words]
        out = runner().run(argv, timeout=60, check=False).stdout.splitlines()
        print("\n".join(out[-60:]), flush=True)
