"""What users-and-health-4 sees of its service and of Docker's belief in it, and what follows.

From its start, through what it loads and one answer that is lost, until it hangs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course.exercises.kit.facts import Facts
from course.exercises.kit.pace import SLACK
from course.exercises.kit.reply import Ended, Heard, Reply
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.verdict import (
    HEALTHY_LATE,
    NO_HEALTH_CHECK,
    RETRIES_MANY,
    WRONG_ANSWER,
    Wrong,
)
from course.measure.probes import CUT, Timeline

PORT = 3000
"""Where atlas listens."""
LOADS = (5.0, 6.0)
"""Seconds for which atlas loads, as the exercise says."""
HEALTHY_WITHIN = 3.0
"""Seconds after it has loaded until Docker must call it healthy."""
HANG_SEEN_WITHIN = 8.0
"""Seconds after it hangs until Docker must call it unhealthy."""
_OWN = 4.8  # until then an atlas that nobody tells how long to load is asked
_AT_START = "unhealthy-at-start"
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
            return no_reply(self.state, "atlas:lab", PORT, _ATLAS)
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
            return no_reply(self.heard, "atlas:lab", PORT, _ATLAS)
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

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for."""
        return self.heard.status == 200 or self.age > _OWN

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
            return no_reply(self.state, "atlas:lab", PORT, _ATLAS)
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
            return no_reply(self.heard, "atlas:lab", PORT, _ATLAS)
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
            return no_reply(self.state, "atlas:lab", PORT, _ATLAS)
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
            return no_reply(self.state, "atlas:lab", PORT, want)
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
