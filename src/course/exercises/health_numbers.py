"""users-and-health-4: how fast Docker believes what a health check says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.pace import SLACK, Pace, pace
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.side_by_side import Run, patiently, side_by_side
from course.exercises.kit.starts import keeps
from course.exercises.kit.verdict import (
    HEALTHY_LATE,
    NO_HEALTH_CHECK,
    RETRIES_MANY,
    WRONG_ANSWER,
    Wrong,
)
from course.learner import progress
from course.measure.container import Process
from course.measure.probes import CUT, Timeline, Watch

_PORT = 3000
_POLL = 0.25
LOADS = (5.0, 6.0)
"""Seconds for which atlas loads, as the exercise says."""
HEALTHY_WITHIN = 3.0
"""Seconds after it has loaded until Docker must call it healthy."""
HANG_SEEN_WITHIN = 8.0
"""Seconds after it hangs until Docker must call it unhealthy."""
_OWN = 4.8  # until then an atlas that nobody tells how long to load is asked
_AT_START = "unhealthy-at-start"
_DRAWN = (5.6, 5.9)  # with Node's own start it has loaded within what the text says
_QUICK_WITHIN = 9.0  # not asked for: of a slow start even a first probe after 7 s is in time
_STATE = "docker inspect CONTAINER --format '{{json .State.Health}}'"
_NUMBERS = "docker image inspect atlas:lab --format '{{json .Config.Healthcheck}}'"
_WANT = f"healthy within {HEALTHY_WITHIN:.0f} s after it has loaded; before, no failure counts"
_WORST = "add up what passes, at worst, from the hang to the last failure"
_RESET = "course reset users-and-health-4   gives its files back, and saves what you have"
_ENV = "docker image inspect atlas:lab --format '{{.Config.Env}}'   and read atlas.mjs"
_ATLAS = "the service of atlas.mjs"


@dataclass(frozen=True)
class Loading(Facts):
    """What atlas:lab and Docker say until it has loaded."""

    seen: Timeline
    heard: Heard  # its answer to GET /health, after Docker was looked at
    state: Heard
    age: float  # seconds since before its container was made
    loads: float  # seconds for which it loads
    counted: int  # failures in a row that Docker has counted meanwhile, at most

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for."""
        judged = self.seen.status != "starting" or isinstance(self.state, Ended)
        return judged or self.heard.status == 200 or self.age > LOADS[1] + HANG_SEEN_WITHIN

    def wrong(self) -> Wrong | None:
        seen, status = self.seen, self.heard.status
        if isinstance(self.state, Ended):
            return no_reply(self.state, "atlas:lab", _PORT, _ATLAS)
        if seen.status == "none":
            saw, want = "atlas:lab has no health check", "a health check that meets the demands"
            return Wrong(NO_HEALTH_CHECK, saw=saw, want=want, try_=_NUMBERS)
        if status == 200 and self.age < self.loads:
            saw = f"{self.age:.1f} s after its start GET /health answers 200; its maps take "
            want = "an atlas that loads its maps, and says so"
            return Wrong("loads-nothing", saw=f"{saw}{self.loads} s", want=want, try_=_RESET)
        if status != 200 and seen.status == "healthy":
            saw = "Docker calls it healthy while it loads and GET /health answers 503"
            try_ = "run the probe by hand in the first seconds: docker exec CONTAINER …"
            want = "healthy only when it has loaded"
            return Wrong("healthy-too-soon", saw=saw, want=want, try_=try_)
        if seen.status == "unhealthy":
            return _not_healthy(seen, HEALTHY_WITHIN)
        if self.counted:
            saw = f"while it loaded Docker counted {self.counted} of {seen.retries} failures"
            return Wrong(_AT_START, saw=saw, want=_WANT, try_=_STATE, timed=True)
        if len(seen.probes) > seen.good and seen.start_period < LOADS[1]:
            saw = (
                f"failures count from {seen.start_period:g} s after its start, and atlas may load "
            )
            saw += f"for {LOADS[1]:.0f} s"
            return Wrong(_AT_START, saw=saw, want=_WANT, try_=_STATE, timed=True)
        if not isinstance(self.heard, Reply):
            return no_reply(self.heard, "atlas:lab", _PORT, _ATLAS)
        if status != 200:
            saw = f"{self.age:.0f} s after its start GET /health answers {status}"
            want = "200 when it has loaded"
            return Wrong(WRONG_ANSWER, saw=saw, want=want, try_=_RESET, timed=True)
        return None


@dataclass(frozen=True)
class Own(Facts):
    """How long atlas:lab loads if nobody tells it."""

    heard: Heard  # its answer to GET /health
    age: float  # seconds since before its container was made

    def wrong(self) -> Wrong | None:
        if self.heard.status == 200 and self.age < _OWN:
            saw = f"in a container that is told nothing, GET /health answers 200 {self.age:.1f} s "
            saw += "after its start"
            want = f"an atlas that loads for {LOADS[0]:.0f} to {LOADS[1]:.0f} s, as before"
            return Wrong("loads-less", saw=saw, want=want, try_=_ENV)
        return None


@dataclass(frozen=True)
class Believed(Facts):
    """The health of atlas:lab after it has loaded."""

    seen: Timeline
    state: Heard
    within: float  # seconds for which it was looked at
    loads: bool  # whether it loads at all
    pace: float

    def wrong(self) -> Wrong | None:
        if isinstance(self.state, Ended):
            return no_reply(self.state, "atlas:lab", _PORT, _ATLAS)
        if self.seen.status != "healthy" or (self.loads and self.seconds > self.within + SLACK):
            return _not_healthy(self.seen, self.within)
        return None

    @property
    def seconds(self) -> float:
        return self.seen.until_healthy(*LOADS, self.pace)

    def notes(self) -> Iterator[str]:
        if self.loads:
            demand = f"(demand: {self.within:.0f} s)"
            yield f"healthy {self.seconds:.1f} s after it had loaded, at worst {demand}"


def _not_healthy(seen: Timeline, within: float) -> Wrong:
    """Say why a container that loads or has loaded is not believed, or too late."""
    probes = f"{len(seen.probes)} probe(s)"
    after = f"{within:.0f} s after it had loaded"
    cause, saw = HEALTHY_LATE, f"{after} it is still `{seen.status}`: {probes} since the start"
    if not seen.probes:
        cause, saw = "first-probe-late", f"{after} no probe has ended yet"
    elif seen.status == "healthy":
        saw = f"at worst it has been loaded for more than {within:.0f} s when it is called healthy"
    elif seen.probes[-1].code == CUT:
        cause, saw = "timeout-short", "the last probe was ended by its timeout, though all is well"
        saw = f"{seen.status}: {saw}"
    elif seen.status == "unhealthy":
        cause, saw = _AT_START, "while it still loads or has just loaded"
        saw = f"unhealthy after {probes}, {saw}"
    return Wrong(cause, saw=saw, want=_WANT, try_=_STATE, timed=True)


@dataclass(frozen=True)
class Mapped(Facts):
    """What atlas:lab answers from its maps."""

    x: int
    y: int
    heard: Heard

    def wrong(self) -> Wrong | None:
        if not isinstance(self.heard, Reply):
            return no_reply(self.heard, "atlas:lab", _PORT, _ATLAS)
        height = f"{(31 * self.x + 17 * self.y) % 4000} m"
        if self.heard.body.strip() != height:
            saw = f"GET /height?x={self.x}&y={self.y} answers "
            saw += f"{self.heard.status}: {self.heard.body.strip()[:60]}"
            return Wrong(WRONG_ANSWER, saw=saw, want=f"`{height}`, by its maps", try_=_RESET)
        return None


@dataclass(frozen=True)
class Lost(Facts):
    """The health of atlas:lab after one answer was lost."""

    status: str
    state: Heard

    def wrong(self) -> Wrong | None:
        if isinstance(self.state, Ended):
            return no_reply(self.state, "atlas:lab", _PORT, _ATLAS)
        if self.status == "unhealthy":
            saw = "one answer was lost, and Docker calls it unhealthy"
            want, try_ = "one lost answer is forgiven", "how many failures in a row make it so?"
            return Wrong("one-lost-answer", saw=saw, want=want, try_=try_, timed=True)
        return None

    def notes(self) -> Iterator[str]:
        yield f"one lost answer: it stayed {self.status}"


@dataclass(frozen=True)
class Hung(Facts):
    """The health of atlas:lab after it hangs for good."""

    seen: Timeline
    state: Heard
    pace: float
    well: int  # probes since that found it well
    probing: bool  # whether a probe runs now
    forecast: str  # the learner's own, in seconds; empty if there is none

    def wrong(self) -> Wrong | None:
        seen, want = self.seen, f"unhealthy within {HANG_SEEN_WITHIN:.0f} s"
        if isinstance(self.state, Ended):
            return no_reply(self.state, "atlas:lab", _PORT, want)
        if self.well > 1:
            saw = f"it hangs, and {self.well} probes since then have found it well"
            return Wrong("hang-not-seen", saw=saw, want=want, try_=_RESET)
        if seen.status == "unhealthy" and self.seconds <= HANG_SEEN_WITHIN + SLACK:
            return None
        saw = f"{HANG_SEEN_WITHIN:.0f} s after it hangs it is {seen.status}: "
        if seen.status == "unhealthy":
            saw = f"at worst {self.seconds:.1f} s pass until it is unhealthy: {len(seen.failing)} "
            cause, saw = RETRIES_MANY, f"{saw}failed probe(s), each with its wait before it"
        elif seen.streak:
            cause, saw = RETRIES_MANY, f"{saw}{seen.streak} failed probe(s) are not enough"
        elif self.probing:
            cause, saw = "timeout-long", f"{saw}a probe waits for its answer, and goes on waiting"
        else:
            cause, saw = "interval-long", f"{saw}no probe has begun since"
        return Wrong(cause, saw=saw, want=want, try_=_WORST, timed=True)

    @property
    def seconds(self) -> float:
        return self.seen.until_unhealthy(self.pace)

    def notes(self) -> Iterator[str]:
        demand = f"(demand: {HANG_SEEN_WITHIN:.0f} s)"
        yield f"hung: unhealthy after {self.seconds:.1f} s at worst {demand}"
        yield f"not counted: {self.pace:.1f} s that a probe which does nothing takes here"
        if self.forecast:
            yield f"your forecast of that: {self.forecast} s"


@exercise("users-and-health-4", image="atlas:lab", start_cause="first-probe-late")
class AtlasIsBelievedInTime:
    """Decide: interval, timeout, retries and start period, against four demands."""

    def observe(self, lab: Lab) -> Observation:
        """Side by side: a slow start and a lost answer; two quick ones and a hang; two slow."""
        with lab.observe("three runs of atlas:lab"), pace(lab) as machine:
            runs = _slow(lab, machine), _quick(lab, machine), _own(lab)
            yield from side_by_side(*runs, pause=_POLL)


def _slow(lab: Lab, machine: Pace) -> Run:
    """Load for a time that is drawn, then lose one answer."""
    loads, made = round(lab.draw.within(*_DRAWN), 1), time.monotonic()
    later, twice = "it has no maps at first", "the other run starts twice"
    env = {"LOADS_MS": f"{loads * 1000:.0f}"}
    with lab.starts("atlas:lab", _PORT, later, env=env, once=twice) as starts:
        served = next(starts)
        watch = Watch(served)
        yield from _loading(served, watch, loads, made)
        seen = yield from patiently(watch.look, _judged(machine, HEALTHY_WITHIN))
        yield Believed(seen, served.condition(), HEALTHY_WITHIN, True, machine.seconds())
        keeps(lab, _maps, served)
        served.hear("/lose-one", "POST")
        before, began = len(watch.look().probes), time.monotonic()

        def met(now: Timeline) -> bool:
            """Whether a probe has met the lost answer, or has had time to."""
            since = [probe.code for probe in now.probes[before:]]
            over = machine.is_over(HANG_SEEN_WITHIN, began, 1)
            return now.status == "unhealthy" or any(since) or len(since) > 1 or over

        seen = yield from patiently(watch.look, met)
        yield Lost(seen.status, served.condition())
        keeps(lab, _maps, served, "asked again")


def _quick(lab: Lab, machine: Pace) -> Run:
    """Start at once, and once more; then hang for good."""
    with lab.starts("atlas:lab", _PORT, _maps, env={"LOADS_MS": "0"}) as starts:
        for served in starts:
            watch = Watch(served)
            seen = yield from patiently(watch.look, _judged(machine, _QUICK_WITHIN))
            yield Believed(seen, served.condition(), _QUICK_WITHIN, False, machine.seconds())
        served.hear("/hang", "POST")
        before, began = watch.look().good, time.monotonic()

        def told(now: Timeline) -> bool:
            over = machine.is_over(HANG_SEEN_WITHIN, began, len(now.failing) + 1)
            return now.status == "unhealthy" or now.good > before + 1 or over

        seen = yield from patiently(watch.look, told)
        well, probing = seen.good - before, _probing(served.processes())
        guess = progress.predicted("users-and-health-hang-s")
        forecast = "" if guess is None else f"{guess:g}"
        yield Hung(seen, served.condition(), machine.seconds(), well, probing, forecast)


def _own(lab: Lab) -> Run:
    """Start it twice, and let it load for as long as it does if nobody tells it."""
    made, later = time.monotonic(), "it has no maps at first"
    with lab.starts("atlas:lab", _PORT, later) as starts:
        served = next(starts)

        def look() -> Own:
            heard = served.hear("/health", wait=0)
            return Own(heard, time.monotonic() - made)

        yield (yield from patiently(look, lambda now: now.heard.status == 200 or now.age > _OWN))
        watch, most = Watch(served), LOADS[1] + HEALTHY_WITHIN
        # What a probe leaves behind when it has found it well may fool the next start's.
        yield from patiently(
            watch.look, lambda now: now.status != "starting" or time.monotonic() - made > most
        )
        for served in starts:
            yield from _loading(served, watch, LOADS[0], time.monotonic())


def _loading(served: Served, watch: Watch, loads: float, made: float) -> Run:
    """Look at it until it has loaded.

    Args:
        served: its container.
        watch: looks at its health.
        loads: seconds for which it loads at least.
        made: when its start began, by `time.monotonic`.
    """
    counted = 0

    def load() -> Loading:
        nonlocal counted
        seen, heard = watch.look(), served.hear("/health", wait=0)
        counted, age = max(counted, seen.streak), time.monotonic() - made
        return Loading(seen, heard, served.condition(), age, loads, counted)

    yield (yield from patiently(load, lambda now: now.settled))


def _maps(served: Served, draw: Draw) -> Iterator[Facts]:
    x, y = draw.number(0, 999), draw.number(0, 999)
    yield Mapped(x, y, served.hear(f"/height?x={x}&y={y}"))


def _judged(machine: Pace, within: float) -> Callable[[Timeline], bool]:
    """Whether Docker has judged a container's health, or has had time to."""
    began = time.monotonic()
    return lambda now: now.status != "starting" or machine.is_over(within, began, 2)


def _probing(running: list[Process]) -> bool:
    """Whether a probe runs: a process that no other one of the container has started."""
    own = {process.pid for process in running}
    return any(process.parent not in own and not process.first for process in running)
