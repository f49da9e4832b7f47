"""Runs of the load generator: started, followed, stopped, found again.

A run lives in a folder of its own, `traffic/<id>/` in the course's state: its plan, its feed,
its process. So any process can join it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from course.core import files, locks, paths, waiting
from course.core import process as run_
from course.core.errors import CourseError
from course.measure.traffic import feed
from course.measure.traffic.feed import Batch, Reader
from course.measure.traffic.plan import GRACE, Plan
from course.measure.traffic.preflight import first
from course.measure.traffic.request import build, token
from course.measure.traffic.summary import Summary, Tally
from course.measure.traffic.target import Target, parse

MAX_RATE = 3000.0
"""Requests/s that one Python process may be asked for: docs/adr/0005."""
MAX_SECONDS = 3600.0
_KEPT = 20
_PID = "pid"
_POLL = 0.03


class Run:
    """One run of the generator, seen from any process.

    It has its `id`, the `folder` of that name, its `plan`, and the `pid` of its generator.

    Args:
        id_: its name.

    Raises:
        CourseError: there is no such run.
    """

    def __init__(self, id_: str) -> None:
        self.id = id_
        self.folder = _home() / id_
        try:
            self.plan = Plan.load(self.folder)
            # Of an older version it is a bare number, which may be another process's by now.
            self._process = (self.folder / _PID).read_text()
            self.pid = int(self._process.partition("-")[0])
        except (OSError, ValueError, TypeError) as error:
            known = ", ".join(f.name for f in _folders() if (f / _PID).exists()) or "none"
            raise CourseError(
                f"no run `{id_}`", f"one of those that are known: {known}", "traffic.start(…)"
            ) from error
        self._reader = self._new_reader()
        self._tally = Tally(self.plan.rate)
        self._counting = threading.Lock()  # nothing is counted twice by two views of one run
        self._batches = self._new_reader()
        self._reading = threading.Lock()  # several views may show one run

    def __repr__(self) -> str:
        plan = self.plan
        state = "running" if self.running else "ended"
        return f"<Run {self.id} {plan.url} {plan.rate:g}/s for {plan.seconds:g} s, {state}>"

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return locks.find_process(self._process) is not None

    @property
    def started(self) -> float | None:
        """When its schedule began, in seconds since the epoch: `started + answer.intended`."""
        reader = self._new_reader()
        for _ in reader.read():
            break
        return reader.started

    def batches(self, since: int = 0) -> list[Batch]:
        """What is known so far.

        Args:
            since: how many batches to leave out, e.g. those that are known already.
        """
        with self._reading:
            return list(self._batches.again(since))

    def follow(self, timeout: float | None = None, since: int = 0) -> Iterator[Batch]:
        """The batches as they come, from the first; ends when the run ends.

        Args:
            timeout: deadline in seconds; by default the time that the run can take.
            since: how many batches to leave out.

        Raises:
            CourseError: the run goes on at the deadline.
        """
        deadline = time.monotonic() + (self._longest() if timeout is None else timeout)
        reader, number = self._new_reader(), 0
        while True:
            live = self.running  # before the read: what is written until the end is read
            for batch in reader.read():
                number += 1
                if number > since:
                    yield batch
            if not live:
                return
            if time.monotonic() > deadline:
                raise self._still("the run goes on")
            time.sleep(_POLL)

    def wait(self, timeout: float | None = None) -> Summary:
        """Wait for the end.

        Args:
            timeout: deadline in seconds; by default the time that the run can take.

        Raises:
            CourseError: the run goes on at the deadline.
        """
        wait = self._longest() if timeout is None else timeout
        if not waiting.eventually(lambda: not self.running, wait=wait, pause=_POLL):
            raise self._still("the run goes on")
        return self.summary()

    def stop(self) -> Summary:
        """End it now; what it sent is still counted.

        Raises:
            CourseError: it does not end.
        """
        import psutil

        process = locks.find_process(self._process)
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                # A process that is stopped hears nothing until it goes on.
                process.send_signal(signal.SIGCONT)
        return self.wait(timeout=self.plan.timeout + GRACE)

    def summary(self, since: float = 0.0, until: float | None = None) -> Summary:
        """The figures, so far or of the whole run, or of a window of it.

        Args:
            since: start of the window, in seconds since the start.
            until: its end; by default that of the run.
        """
        live = self.running
        if since == 0.0 and until is None:
            reader, tally = self._reader, self._tally
        else:
            reader = self._new_reader()
            tally = Tally(self.plan.rate, since, float("inf") if until is None else until)
        with self._counting:
            tally.add(reader.read())
            if reader.end is not None:
                return tally.summary(seconds=reader.end.seconds, ended=reader.end.why)
            so_far = tally.last + 1 / self.plan.rate
            return tally.summary(seconds=so_far, ended="" if live else "died")

    @property
    def last_words(self) -> str:
        """What its process said last, as a rule the error that ended it; may be empty."""
        try:
            text = (self.folder / "log").read_text(errors="replace")
        except OSError:
            return ""
        lines = [line for line in text.splitlines() if line.strip() and line[0] != " "]
        return lines[-1] if lines else ""

    def _new_reader(self) -> Reader:
        return Reader(self.folder / feed.FILE, self.plan.rate)

    def _longest(self) -> float:
        return self.plan.seconds + self.plan.timeout + GRACE + 5

    def _still(self, what: str) -> CourseError:
        return CourseError(f"{what} ({self!r})", "its end", f"traffic.join({self.id!r}).stop()")


def start(
    url: str,
    rate: float = 500,
    seconds: float = 30,
    *,
    keep_alive: bool = False,
    lease_pid: int | None = None,
    version_header: str = "x-orders-version",
    method: str = "GET",
    ca: str | Path | None = None,
    verify: bool = True,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None,
    body: str = "",
    timeout: float = 5.0,
    probe: bool = False,
) -> Run:
    """Start a generator and return at once.

    Args:
        url: where to; a name is dialled at 127.0.0.1, or at ::1 if nobody listens there, with
            the name as Host and SNI.
        rate: requests per second.
        seconds: for how long.
        keep_alive: use connections again instead of opening one for each request.
        lease_pid: the process whose end ends the run; by default the caller. For a run that goes
            on over a restart of the notebook's kernel, and is then joined: the kernel's parent,
            `os.getppid()`.
        version_header: the response header that tells who answered.
        method: the HTTP method.
        ca: a file of CA certificates to trust in place of the system's.
        verify: whether the certificate is verified.
        headers: names and values, as a mapping or as pairs; Host, Connection and the length are
            added where they are missing.
        body: sent with each request.
        timeout: seconds from a send to the end of its answer.
        probe: first send one such request and wait for its answer.

    Raises:
        CourseError: an impossible rate or time, a bad address, a process that is not there, a
            second generator on the same target, a request that cannot be sent; with `probe`
            also whatever stands in the way of an answer.
    """
    _refuse(rate, seconds, timeout)
    target = parse(url, ca=ca, verify=verify)
    target.tls()
    pid = os.getpid() if lease_pid is None else lease_pid
    lease = locks.process_key(pid)
    if not locks.is_alive(lease):
        raise CourseError(f"no process {pid} to hold the lease", "a process that runs")
    plan = Plan(
        url=url,
        rate=float(rate),
        seconds=float(seconds),
        method=token(method, "method").upper(),
        headers=_pairs(headers),
        body=body,
        keep_alive=keep_alive,
        version_header=token(version_header, "header"),
        timeout=float(timeout),
        ca=target.ca,
        verify=verify,
        lease=lease,
    )
    build(plan, target)
    if probe:
        _refuse_second(target)  # before its traffic is met
        first(plan)
    with locks.hold(
        _home() / "lock", wait=10, what="another generator is being started", try_="try again"
    ):
        _refuse_second(target)
        _prune()
        return _spawn(plan)


def _pairs(
    headers: Mapping[str, str] | Iterable[tuple[str, str]] | None,
) -> tuple[tuple[str, str], ...]:
    try:
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        return tuple((name, value) for name, value in pairs)
    except (TypeError, ValueError) as error:
        raise CourseError(
            f"{headers!r} as headers", "names and values", 'headers={"X-Canary": "always"}'
        ) from error


def _refuse_second(target: Target) -> None:
    for other in running():
        if parse(other.plan.url).key == target.key:
            raise CourseError(
                f"a generator already loads {target.key}: run {other.id}, "
                f"{other.plan.rate:g}/s for {other.plan.seconds:g} s",
                "one generator for each target: two would measure each other",
                f"wait for it, or: traffic.join({other.id!r}).stop(), on a terminal: "
                f"kill {other.pid}",
            )


def _spawn(plan: Plan) -> Run:
    id_ = f"{time.strftime('%H%M%S')}-{secrets.token_hex(2)}"
    folder = _home() / id_
    folder.mkdir(parents=True)
    plan.save(folder)
    argv = [sys.executable, "-P", "-m", "course.measure.traffic.worker", folder]
    pid = run_.spawn(argv, log=folder / "log")
    files.atomic_write(folder / _PID, locks.process_key(pid))
    return Run(id_)


def join(id_: str) -> Run:
    """A run that was started before, perhaps by another process.

    Args:
        id_: its `Run.id`.

    Raises:
        CourseError: there is no such run.
    """
    return Run(id_)


def running() -> list[Run]:
    """The runs whose process is there, the oldest first."""
    found = []
    for folder in _folders():
        with contextlib.suppress(CourseError):  # what never became a run, or is being removed
            found.append(Run(folder.name))
    return [run for run in found if run.running]


def _home() -> Path:
    return paths.state().resolve() / "traffic"


def _folders() -> list[Path]:
    if not _home().is_dir():
        return []
    folders = [entry for entry in _home().iterdir() if entry.is_dir()]
    return sorted(folders, key=lambda folder: folder.stat().st_mtime)


def _prune() -> None:
    """Forget the oldest runs; called before a start, so that the files of all runs are bounded."""
    live = {run.id for run in running()}
    ended = [folder for folder in _folders() if folder.name not in live]
    for folder in ended[: -_KEPT + 1]:
        shutil.rmtree(folder, ignore_errors=True)


def _refuse(rate: float, seconds: float, timeout: float) -> None:
    if not 0 < rate <= MAX_RATE:
        raise CourseError(
            f"a rate of {rate:.15g} requests/s",
            f"more than 0 and at most {MAX_RATE:g}, what one Python process can send",
            "500 shows an outage of 50 ms in one pod of four",
        )
    if not 0 < seconds <= MAX_SECONDS:
        raise CourseError(
            f"a run of {seconds:.15g} s", f"more than 0 and at most {MAX_SECONDS:g} s"
        )
    if not 0 < timeout <= 60:
        raise CourseError(f"a timeout of {timeout:.15g} s", "more than 0 and at most 60 s")
