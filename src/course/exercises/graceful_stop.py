"""users-and-health-2: a service that is told to stop ends soon, and first what it has begun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from posixpath import basename

from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.in_flight import Ending, InFlight
from course.exercises.kit.lab import Lab
from course.exercises.kit.reply import Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import WRONG_ANSWER, Wrong
from course.measure.container import Process

_PORT = 3000
STOP_WITHIN = 3.0
"""Seconds that `docker stop` may take; the request in flight takes one of them."""
_GRACE = 4
_UNAVAILABLE = 500
_LATER = 0.6
_WORKS = 0.7  # seconds that a report takes at least; its own is 1
_SHELLS = ("sh", "bash", "dash", "npm", "su", "runuser")
_PARENTS = "docker top CONTAINER -eo pid,ppid,uid,args   "
_RESET = "course reset users-and-health-2   gives report.mjs back, and saves what you have"
_SIGNAL = "docker image inspect report:lab --format '{{.Config.StopSignal}}'"
_CODE = "docker inspect --format '{{.State.ExitCode}}' CONTAINER   after a stop"


@dataclass(frozen=True)
class Up(Facts):
    """What report:lab answers at GET /."""

    heard: Heard

    def wrong(self) -> Wrong | None:
        if not isinstance(self.heard, Reply):
            return no_reply(self.heard, "report:lab", _PORT, "the service of report.mjs")
        if self.heard.body != "report is up\n":
            saw = f"GET / answers `{self.heard.body.strip()[:60]}`"
            want = "`report is up`, as report.mjs answers"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=_RESET)
        return None


@dataclass(frozen=True)
class Working(Facts):
    """How the answer to GET /report begins."""

    path: str
    begun: bool
    over: bool  # a moment later

    def wrong(self) -> Wrong | None:
        if not self.begun:
            saw, want = f"GET {self.path} got no answer in time", "the report, by report.mjs"
            try_ = "docker run --rm report:lab   and read what it prints"
            return Wrong("no-report", saw=saw, want=want, try_=try_, timed=True)
        if self.over:
            saw = f"GET {self.path} was answered at once"
            want = "a report still takes a second: others count on it to be worked on"
            try_ = _RESET
            return Wrong("not-in-flight", saw=saw, want=want, try_=try_)
        return None


@dataclass(frozen=True)
class Stop(Facts):
    """A `docker stop` while a report was being answered."""

    path: str
    total: str  # what that report ends with
    end: Ending
    processes: tuple[Process, ...]  # that ran before
    still: str

    def wrong(self) -> Wrong | None:
        seconds, code = self.end.stopped.seconds, self.end.stopped.code
        if seconds >= STOP_WITHIN:
            return self._too_slow(f"docker stop took {seconds:.1f} s and exit code {code}")
        if code == 137:
            saw = f"{seconds:.1f} s and exit code 137: it was killed, at once; nothing in it could "
            want = "it is asked to end, and ends by itself"
            return Wrong("killed", saw=f"{saw}finish", want=want, try_=_SIGNAL)
        opened = self.end.first, self.end.last
        came = next((one.text for one in opened if not one.whole), None)
        if came is not None:
            saw = f"it ended after {seconds:.1f} s with exit code {code}, in the middle of GET "
            saw += f"{self.path}: the client has {came!r}"
            want = "the request in flight gets its whole answer, then the process ends"
            try_ = "what does server.close() wait for, and what does process.exit() not?"
            return Wrong("request-cut", saw=saw, want=want, try_=try_)
        for number, later in enumerate(self.end.later, 1):
            if later.status and not later.whole:
                saw = f"a request that came {number * _LATER:.1f} s after the signal was taken, "
                saw += f"and cut: the client has {later.text!r}"
                want = "after the signal a request is refused, or answered whole"
                try_ = "how does the program stop taking requests?"
                return Wrong("later-cut", saw=saw, want=want, try_=try_)
        # One that came later may be refused by a status, too.
        served = *opened, *(one for one in self.end.later if 0 < one.status < _UNAVAILABLE)
        came = next((one.text for one in served if self.total not in one.text), None)
        if came is not None:
            saw, want = f"GET {self.path} answers {came!r}", f"`{self.total}` at its end"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=_RESET)
        if self.end.last.seconds < _WORKS:
            saw = f"GET {self.path} came right before the signal, and was answered after "
            saw += f"{self.end.last.seconds:.1f} s"
            want = "a report still takes a second, also one that is open at the stop"
            try_ = "what does the program do with open reports when the signal comes?"
            return Wrong("report-hurried", saw=saw, want=want, try_=try_)
        if code != 0:
            saw = f"it finished its request and ended in {seconds:.1f} s, but with exit code {code}"
            return Wrong("exit-code", saw=saw, want="exit code 0: it did as asked", try_=_CODE)
        return None

    def _too_slow(self, took: str) -> Wrong:
        want = f"docker stop ends it within {STOP_WITHIN:.0f} s, by itself"
        first, *others = [process.command[:60] for process in self.processes] or ["?"]
        if others and basename(first.split()[0]) in _SHELLS:
            saw = f"{took}: process 1 is `{first}`, which got the signal; the service, "
            saw += f"`{others[-1]}`, did not{self.still}"
            try_ = f"{_PARENTS}who is the service's parent?"
            return Wrong("signal-not-passed", saw=saw, want=want, try_=try_)
        if self.end.late == "answered":
            saw = f"{took}: `{first}` is process 1, and {_GRACE - 1} s after the signal it still "
            try_ = f"{_SIGNAL}   (empty is SIGTERM): which signals does report.mjs know?"
            return Wrong("signal-ignored", saw=f"{saw}took requests", want=want, try_=try_)
        if self.end.kept:
            saw = f"{took}: the report was answered, and the service went on waiting for its "
            saw += "client, which keeps the connection"
            try_ = "./try.sh   what becomes of a connection that is idle after its answer?"
            return Wrong("connection-kept", saw=saw, want=want, try_=try_, timed=True)
        if self.end.silent:
            saw = f"{took}: the reports were answered, and the service went on waiting for a "
            saw += "client that has connected and asked nothing"
            try_ = "./try.sh   which connections does closeIdleConnections() leave open?"
            return Wrong("silent-client", saw=saw, want=want, try_=try_, timed=True)
        saw, try_ = "takes no more requests, but does not end", "what in report.mjs still waits for"
        saw, try_ = f"{took}: it {saw}", f"{try_} something?"
        return Wrong("never-exits", saw=saw, want=want, try_=try_, timed=True)

    def notes(self) -> Iterator[str]:
        yield "exit code 0; the report was answered whole, to a client that keeps its connection"


@exercise("users-and-health-2", image="report:lab", start_cause="signal-not-passed")
class ReportStopsWhenTold:
    """A service that does not hear SIGTERM, for more than one reason."""

    def observe(self, lab: Lab) -> Observation:
        """Stop it while a request is in flight: seconds, exit code, and that request's answer."""
        still, run = lab.still("report:lab"), lab.observe("two stops of report:lab")
        with run, lab.starts("report:lab", _PORT, _is_up, ends="it is stopped") as starts:
            for served in starts:
                n, running = lab.draw.number(1000, 9999), tuple(served.processes())
                path, total = f"/report?n={n}", f"total {n * (n + 1) // 2} CHF"
                flight = InFlight(served, path)
                yield Working(path, flight.accepted(), flight.done())
                yield Stop(path, total, flight.stop(_GRACE, _LATER), running, still)


def _is_up(served: Served, _: Draw) -> Iterator[Facts]:
    yield Up(served.hear("/"))
