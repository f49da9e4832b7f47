"""The generator's HTTP machinery as fast as it can: `python -m tests.bench.closed URL SECONDS`.

A closed loop over 16 connections, as wrk and hey do it, so that the three can be compared. The
product never sends like this.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter

from course.measure.traffic.exchange import Client, Request
from course.measure.traffic.plan import Plan

CONNECTIONS = 16


async def _run(url: str, seconds: float, keep_alive: bool) -> None:
    versions: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    over = asyncio.Event()
    end = time.monotonic() + seconds
    loop = asyncio.get_running_loop()

    def answered(_: Request, at: float, version: str, error: str) -> None:
        versions[version] += 1
        if error:
            errors[error] += 1
        if at < end:
            loop.call_soon(client.send, 0)
        else:
            over.set()

    client = Client(
        Plan(url, 1.0, seconds, keep_alive=keep_alive),
        clock=time.monotonic,
        on_answer=answered,
        on_unsent=lambda _: over.set(),
    )
    for _ in range(CONNECTIONS):
        client.send(0)
    while not over.is_set():
        await asyncio.sleep(0.05)
        client.sweep()
    assert not errors, errors
    assert set(versions) == {"v1"}, versions
    print(versions["v1"] / seconds)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], float(sys.argv[2]), "keep-alive" in sys.argv))
