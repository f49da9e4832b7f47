"""users-and-health-3: a health check that asks what only a working service can say."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from course.core import waiting
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.pace import SLACK, Pace, pace
from course.exercises.kit.reply import Ended, Heard, Reply, telling_line
from course.exercises.kit.run_errors import no_reply
from course.exercises.kit.served import Served
from course.exercises.kit.start_files import original
from course.exercises.kit.verdict import HEALTHY_LATE, NO_HEALTH_CHECK, RETRIES_MANY, Wrong
from course.measure.probes import Timeline, Watch

_PORT = 3000
_POLL = 0.25
SEEN_WITHIN = 5.0
"""Seconds within which it must be healthy after its start, and unhealthy after the loss."""
_UP = '"queue":"up"'
_LOST = "parcel-lost"
_TOOLS = "docker run --rm courier:lab sh -c 'command -v curl wget node'"
_HEALTH = "docker image inspect courier:lab --format '{{json .Config.Healthcheck}}'"
_COURIER = "course reset users-and-health-3   gives courier.mjs back, and saves what you have"
_TEXT = (
    "docker exec CONTAINER node -e \"fetch('http://localhost:3000/status')"
    '.then((r) => r.text()).then(console.log)"   with the queue gone'
)


@dataclass(frozen=True)
class HandedOver(Facts):
    """What became of a parcel beside the queue."""

    parcel: str
    heard: Heard
    queue: tuple[str, ...]  # what the queue has got until now

    def wrong(self) -> Wrong | None:
        if not isinstance(self.heard, Reply):
            return no_reply(self.heard, "courier:lab", _PORT, "the service of courier.mjs")
        if self.heard.status != 202:
            saw = "three times POST /parcels was not answered with 202, but with "
            saw += f"{self.heard.status}: {self.heard.body.strip()[:60]}"
            want = "a courier that hands parcels over, status 202"
            return Wrong("no-parcels", saw=saw, want=want, try_=_COURIER, timed=True)
        if self.parcel not in self.queue:
            saw = f"`{self.parcel}` was answered with 202, and the queue has not got it"
            want = "what is answered with 202 is in the queue"
            return Wrong(_LOST, saw=saw, want=want, try_=_COURIER)
        return None


@dataclass(frozen=True)
class Beside(Facts):
    """The health of courier:lab beside its queue."""

    seen: Timeline
    state: Heard
    pace: float
    strange: int  # parcels in the queue that nobody sent
    still: str

    def wrong(self) -> Wrong | None:
        seen, want = self.seen, f"healthy within {SEEN_WITHIN:.0f} s while courier and queue work"
        if isinstance(self.state, Ended):
            return no_reply(self.state, "courier:lab", _PORT, want)
        if seen.status == "none":
            saw = "courier:lab has no health check: Docker says nothing of its health"
            return Wrong(NO_HEALTH_CHECK, saw=saw, want=want, try_=_HEALTH)
        if not seen.probes:
            saw = f"{SEEN_WITHIN:.0f} s after the start no probe has ended yet"
            return Wrong("no-probe-yet", saw=saw, want=want, try_=_HEALTH, timed=True)
        if seen.status != "healthy":
            last = seen.probes[-1]
            why = telling_line(last.output) if last.output else "nothing"
            why = f"the probe ends with code {last.code} and says: {why}"
            if last.code == 127 or "not found" in last.output:
                saw = f"{seen.status}: {why}{self.still}"
                return Wrong("tool-missing", saw=saw, want=want, try_=_TOOLS)
            saw, try_ = f"{seen.status} though all works: {why}", "run the probe by hand: docker "
            try_ += "exec CONTAINER …; echo $?"
            return Wrong("never-healthy", saw=saw, want=want, try_=try_, timed=True)
        if self.strange:
            saw = f"the queue has got {self.strange} parcel(s) that nobody sent: the health check "
            want = "a check that asks and changes nothing"
            try_ = "which request to the courier tells of the queue and hands nothing over?"
            return Wrong("probe-delivers", saw=f"{saw}posts one each time", want=want, try_=try_)
        # Less what this machine takes to start it, for its failed probes and for the good one.
        seconds = seen.healthy_after - self.pace * (len(seen.probes) - seen.good + 2)
        if seconds > SEEN_WITHIN + SLACK:
            saw = f"healthy {seconds:.1f} s after its start"
            return Wrong(HEALTHY_LATE, saw=saw, want=want, try_=_HEALTH, timed=True)
        return None


@dataclass(frozen=True)
class Cut(Facts):
    """The health of courier:lab after its queue is gone."""

    seen: Timeline
    state: Heard
    pace: float
    well: int  # probes since that found it well
    empty: str  # the health of a container of courier:lab in which no courier runs
    asked: str  # the courier's last request before, by its log
    says: Heard  # its answer to GET /status then
    parcels: tuple[Heard, ...]  # its answers to one at once, and to one after all probes
    still: str

    def wrong(self) -> Wrong | None:
        seen, want = self.seen, f"unhealthy within {SEEN_WITHIN:.0f} s after its queue is gone"
        if isinstance(self.state, Ended):
            saw = f"without its queue the container ended, with exit code {self.state.code}"
            want = "a container that runs on and is unhealthy: the queue may come back"
            return Wrong("ends-instead", saw=saw, want=want, try_="docker logs CONTAINER")
        # One may have begun before. What fails later, by its age, does not tell of the queue.
        unseen = seen.status != "unhealthy" or self.well > 1
        saw = f"{SEEN_WITHIN:.0f} s after its queue is gone it is {seen.status}"
        if seen.status == "unhealthy":
            saw = f"after its queue was gone {self.well} probes in a row found it well"
        elif self.well < 2 and (seen.streak or not seen.probes):
            saw += f": {seen.streak} failed probes are not enough"
            return Wrong(RETRIES_MANY, saw=saw, want=want, try_=_HEALTH, timed=True)
        if unseen and self.empty == "healthy":
            saw += "; and so is a container of it in which no courier runs"
            try_ = "what is the probe's exit code when the courier is not there?"
            return Wrong("always-healthy", saw=saw, want="a check that can fail", try_=try_)
        if unseen and self.asked == "GET /status" and _UP in self.says.body:
            saw += f": the probe asks `GET /status`, which still says {_UP}"
            return Wrong("stale-status", saw=saw, want=want, try_=_TEXT)
        if unseen and self.asked == "GET /status":
            saw += ": the probe asks `GET /status`, is answered 200, and is content"
            return Wrong("status-not-read", saw=saw, want=want, try_=_TEXT)
        if unseen:
            why = f"the probe asks `{self.asked}`, which still answers 200"
            saw += f": {why if self.asked else 'its probes succeed'}{self.still}"
            try_ = "./try.sh   which request to the courier tells the two states apart?"
            return Wrong("asks-the-door", saw=saw, want=want, try_=try_)
        if self.empty == "healthy":
            saw = "without its queue it is unhealthy; but a container of courier:lab in which no "
            try_ = "does the probe talk to port 3000?"
            want = "a check that asks the courier"
            return Wrong(
                "asks-the-queue-only", saw=f"{saw}courier runs is healthy", want=want, try_=try_
            )
        if self.seconds > SEEN_WITHIN + SLACK:
            saw = f"at worst {self.seconds:.1f} s pass until it is unhealthy: {len(seen.failing)} "
            saw += "failed probe(s), each with its wait before it"
            return Wrong(RETRIES_MANY, saw=saw, want=want, try_=_HEALTH, timed=True)
        if any(heard.status == 202 for heard in self.parcels):
            saw = "without its queue POST /parcels is answered with 202 all the same"
            want = "what is answered with 202 is in the queue"
            return Wrong(_LOST, saw=saw, want=want, try_=_COURIER)
        return None

    @property
    def seconds(self) -> float:
        return self.seen.until_unhealthy(self.pace)

    def notes(self) -> Iterator[str]:
        yield f"its queue gone: unhealthy after {self.seconds:.1f} s at worst"


@exercise("users-and-health-3", image="courier:lab", start_cause="tool-missing")
class CourierTellsTheTruth:
    """Break-it: a health check that cannot run, and that asks the wrong question."""

    def observe(self, lab: Lab) -> Observation:
        """Run it beside a queue, take the queue away, and look at its health before and after."""
        still, sent = lab.still("courier:lab"), set[str]()
        program = ["node", "--input-type=module", "-e", original(lab.id, "queue.mjs")]
        with (
            lab.observe("courier:lab with its queue, and without"),
            pace(lab) as machine,
            lab.alone() as where,
            # The queue runs in courier:lab too: nothing true calls that container healthy, since
            # no courier is in it.
            lab.container(
                "courier:lab",
                port=7000,
                entrypoint=program,
                networking_config=lab.alias(next(iter(where.values())), "queue"),
                **where,
            ) as queue,
            lab.starts(
                "courier:lab", _PORT, partial(_hands_over, queue, sent), where=where
            ) as starts,
        ):
            for courier in starts:
                watch = Watch(courier)
                seen = _until(watch, machine, "healthy", 2)
                strange = sum(parcel not in sent for parcel in _taken(queue))
                yield Beside(seen, courier.condition(), machine.seconds(), strange, still)
            empty = waiting.eventually(
                Watch(queue).look, wait=3, pause=_POLL, until=lambda one: one.probes
            )
            yield Beside(watch.look(), courier.condition(), machine.seconds(), 0, still)
            queue.hear("/", "DELETE")
            parcels, good = [_offer(courier, lab.draw)], watch.look().good
            seen, lines = _until(watch, machine, "unhealthy", 1), courier.log().splitlines()
            asked = [line for line in lines if line.startswith(("GET", "POST"))][-1:]
            says = courier.hear("/status", wait=0)
            parcels.append(_offer(courier, lab.draw))
            so = seen, courier.condition(), machine.seconds(), seen.good - good
            yield Cut(*so, empty.status, "".join(asked), says, tuple(parcels), still)


def _hands_over(queue: Served, sent: set[str], served: Served, draw: Draw) -> Iterator[Facts]:
    parcel, heard = draw.word(), Heard()
    sent.add(parcel)
    for _ in range(3):
        heard = served.hear("/parcels", "POST", parcel.encode())
        if heard.status in (0, 202):
            break
    yield HandedOver(parcel, heard, _taken(queue))


def _offer(courier: Served, draw: Draw) -> Heard:
    """Its answer to a parcel, asked for once: before a probe can tell it of its queue."""
    return courier.hear("/parcels", "POST", draw.word().encode(), wait=0)


def _taken(queue: Served) -> tuple[str, ...]:
    return tuple(json.loads(queue.hear("/taken").body or "[]"))


def _until(watch: Watch, machine: Pace, status: str, more: int) -> Timeline:
    """Look at a container's health until it is so, or cannot become so in time.

    Args:
        watch: looks at it.
        machine: this machine's pace.
        status: what it is to be.
        more: how many probes' time the machine may take beside that of failed ones.
    """
    began = time.monotonic()

    def enough(seen: Timeline) -> bool:
        over = machine.is_over(SEEN_WITHIN, began, len(seen.failing) + more)
        return seen.status in (status, "none") or not seen.running or over

    return waiting.eventually(watch.look, wait=60, pause=_POLL, until=enough)
