"""users-and-health-4: how fast Docker believes what a health check says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from course.exercises.atlas_facts import (
    HANG_SEEN_WITHIN,
    HEALTHY_WITHIN,
    LOADS,
    PORT,
    Believed,
    Hung,
    Loading,
    Lost,
    Mapped,
    Own,
)
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.pace import Pace, pace
from course.exercises.kit.served import Served
from course.exercises.kit.side_by_side import Run, patiently, side_by_side
from course.exercises.kit.starts import keeps
from course.learner import progress
from course.measure.container import Process
from course.measure.probes import Timeline, Watch

_POLL = 0.25
_DRAWN = (5.6, 5.9)  # with Node's own start it has loaded within what the text says
_QUICK_WITHIN = 9.0  # not asked for: of a slow start even a first probe after 7 s is in time


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
    with lab.starts("atlas:lab", PORT, later, env=env, once=twice) as starts:
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
    with lab.starts("atlas:lab", PORT, _maps, env={"LOADS_MS": "0"}) as starts:
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
    with lab.starts("atlas:lab", PORT, later) as starts:
        served = next(starts)

        def look() -> Own:
            heard = served.hear("/health", wait=0)
            return Own(heard, time.monotonic() - made)

        yield (yield from patiently(look, lambda now: now.settled))
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
