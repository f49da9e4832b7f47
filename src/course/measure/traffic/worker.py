"""The load generator's own process: `python -m course.measure.traffic.worker FOLDER`.

It reads its plan from the folder and writes the feed there. It sends each request at its own
absolute time, whatever became of those before (an open loop): a server that stalls gets no
mercy, and its stall cannot hide. What the generator could not see it says: a stretch in which
this process did not run is written down as blind.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import resource
import signal
import sys
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course.core import locks
from course.measure.traffic import feed
from course.measure.traffic.exchange import SWEEP, Client, Request
from course.measure.traffic.plan import GRACE, Plan

BLIND = 0.010
"""Seconds that the process may be late before it counts as blind."""
GIVE_UP = 0.100
"""A request that is this late is not sent: a burst of them would itself be a load."""
_BEAT = 0.005
"""The longest sleep in seconds, so that blindness is seen at low rates as well."""
_SETTLE = 0.050
"""Seconds after the end of a slot at which it is written; slower answers follow."""
_LEASE = 0.5
"""Seconds between two looks at the lease."""
_PARTING = 0.4
"""Seconds for which a run without a lease awaits answers: with `_LEASE`, less than one."""
_MAX_FLYING = 8192


# A clock that goes on while the machine sleeps, so that a sleep is seen as what it is: a stretch
# in which nothing was sent. Linux' monotonic clock stands still then; macOS' own does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Seconds, from an arbitrary start."""
    return time.clock_gettime(_CLOCK)


class Worker:
    """One run.

    Args:
        folder: where its plan is and its feed will be.
        plan: what to send.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._plan = plan
        self._fd = os.open(
            folder / feed.FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o644
        )
        # Writing may block when the disk is busy: never in the thread that sends.
        self._writer = ThreadPoolExecutor(1)
        self._unwritten: OSError | None = None
        self._start = 0.0
        self._planned = 0
        self._known: dict[int, list[feed.Known]] = defaultdict(list)
        self._unsent: dict[int, list[int]] = defaultdict(list)
        self._retried: dict[int, list[int]] = defaultdict(list)
        self._blind: deque[tuple[float, float]] = deque()
        self._why = ""  # not empty once it sends no more
        self._deadline = math.inf  # when it ends whatever is in flight
        self._max_flying = _files() - 64

    async def run(self) -> None:
        """Send, write, end."""
        plan = self._plan
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(sig, self._stop, "stopped")
        self._client = Client(
            plan,
            clock=clock,
            on_answer=self._answered,
            on_unsent=lambda request: self._not_sent(request.index),
        )
        # What is there now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        self._start = clock() + 0.05
        self._write(feed.first_line(time.time() + 0.05))
        helpers = [
            asyncio.create_task(work) for work in (self._report(), self._lease(), self._sweep())
        ]
        await self._pace()
        seconds = min(clock() - self._start, plan.seconds)
        # Each ends by its timeout at the latest.
        while self._client.in_flight and clock() < self._deadline:
            await asyncio.sleep(0.01)
        for helper in helpers:
            helper.cancel()
        self._client.close()  # what is in flight is unsent from now on
        self._emit(None)
        self._write(feed.last_line(feed.End(self._why, self._planned, seconds)))
        self._writer.shutdown()
        os.close(self._fd)
        if self._unwritten:
            raise self._unwritten

    def _stop(self, why: str) -> None:
        self._why = self._why or why

    async def _pace(self) -> None:
        """Send each request at its time, and notice each time that was missed."""
        plan, client, start = self._plan, self._client, self._start
        rate, total = plan.rate, plan.planned
        wake = start
        while not self._why:
            now = clock()
            if now < wake:
                await asyncio.sleep(wake - now)
                now = clock()
            if now - wake > BLIND:
                self._blind.append((wake - start, now - wake))
            while self._planned < total and start + self._planned / rate <= now:
                index = self._planned
                self._planned += 1
                late = clock() - start - index / rate
                if late > GIVE_UP or client.in_flight >= self._max_flying:
                    self._not_sent(index)
                else:
                    client.send(index)
            if now >= start + plan.seconds:
                self._stop("done")
                break
            following = start + self._planned / rate if self._planned < total else now + 1
            wake = min(following, now + _BEAT, start + plan.seconds)

    def _answered(self, request: Request, at: float, version: str, error: str) -> None:
        intended = self._start + request.index / self._plan.rate
        late = max(0, round((request.sent - intended) * 1e6))
        latency = round((at - intended) * 1e6)
        slot = feed.slot(request.index, self._plan.rate)
        self._known[slot].append((request.index, late, latency, version, error))
        if request.retried:
            self._retried[slot].append(request.index)

    def _not_sent(self, index: int) -> None:
        self._unsent[feed.slot(index, self._plan.rate)].append(index)

    # -- beside the sending

    async def _report(self) -> None:
        number = 0
        while True:
            due = self._start + (number + 1) * feed.SLOT + _SETTLE
            await asyncio.sleep(max(0.0, due - clock()))
            # After a stall several slots are due at once.
            number = max(number, int((clock() - _SETTLE - self._start) / feed.SLOT) - 1)
            self._emit(number)
            number += 1

    def _emit(self, last: int | None) -> None:
        """Write what is known of the slots up to `last`, or all that is left."""
        slots = sorted(
            s for s in self._known.keys() | self._unsent.keys() if last is None or s <= last
        )
        if last is not None and last not in slots:
            slots.append(last)  # a line for each 100 ms: silence is news too
        if last is None and self._blind and not slots:
            slots.append(int(self._blind[-1][0] / feed.SLOT))
        lines = []
        for slot in slots:
            blind = []
            while self._blind and (last is None or self._blind[0][0] < (slot + 1) * feed.SLOT):
                blind.append(self._blind.popleft())
            lines.append(
                feed.line(
                    slot,
                    self._known.pop(slot, []),
                    planned=self._planned,
                    unsent=self._unsent.pop(slot, []),
                    retried=self._retried.pop(slot, []),
                    blind=blind,
                )
            )
        if lines:
            self._write("".join(lines))

    def _write(self, text: str) -> None:
        self._writer.submit(self._append, text.encode())

    def _append(self, data: bytes) -> None:
        if self._unwritten:
            return  # a line was cut off: what follows would be read as its end
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:  # a full disk
            self._unwritten = error
            self._stop("died")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self._client.sweep()

    async def _lease(self) -> None:
        while locks.is_alive(self._plan.lease):
            await asyncio.sleep(_LEASE)
        self._deadline = clock() + _PARTING
        self._stop("orphaned")


def _prefer() -> None:
    """Ask to run before other processes; only some users may (root, or by RLIMIT_RTPRIO).

    Without it a busy machine lets the generator wait its turn for tens of milliseconds. What it
    takes from others is small, and the kernel bounds it.
    """
    with contextlib.suppress(AttributeError, OSError):
        reset = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(0, reset, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))


def _files() -> int:
    """How many files this process may open, after asking for as many as it needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = _MAX_FLYING + 64
    if soft != resource.RLIM_INFINITY and soft < want:
        soft = want if hard == resource.RLIM_INFINITY else min(want, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return want if soft == resource.RLIM_INFINITY else min(soft, want)


def _last_chance(*_: object) -> None:
    """The process ends, whatever the loop does; but one that was stopped may first write why."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, GRACE)


def main() -> None:
    """Run the plan in the folder that is named."""
    folder = Path(sys.argv[1])
    plan = Plan.load(folder)
    _prefer()
    signal.signal(signal.SIGALRM, _last_chance)
    signal.setitimer(signal.ITIMER_REAL, plan.seconds + plan.timeout + GRACE)
    asyncio.run(Worker(folder, plan).run())


if __name__ == "__main__":
    main()
