"""A server that stops listening for short moments and writes down when: the truth for a test.

`python -m tests.bench.gapserver COUNT SEED` prints its port, then, when all gaps are done, one
JSON list of [closed, open again] in seconds since the epoch. It waits for a first request.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time

_APART = 0.25
"""Seconds between two gaps."""
SHORTEST, LONGEST = 0.010, 0.200
ANSWER = (
    b"HTTP/1.1 200 OK\r\nx-orders-version: v1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
)


class _Serve(asyncio.Protocol):
    asked: asyncio.Event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.asked.set()
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(ANSWER)
            self._transport.close()


def lengths(count: int, seed: int) -> list[float]:
    """The gaps in seconds: evenly from the shortest to the longest, shuffled."""
    step = (LONGEST - SHORTEST) / max(1, count - 1)
    gaps = [SHORTEST + step * i for i in range(count)]
    random.Random(seed).shuffle(gaps)
    return gaps


async def _run(count: int, seed: int) -> None:
    loop = asyncio.get_running_loop()
    _Serve.asked = asyncio.Event()
    server = await loop.create_server(_Serve, "127.0.0.1", 0, backlog=1024)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await _Serve.asked.wait()
    truth = []
    for gap in lengths(count, seed):
        await asyncio.sleep(_APART)
        closed = time.time()
        server.close()
        await asyncio.sleep(gap)
        server = await loop.create_server(_Serve, "127.0.0.1", port, backlog=1024)
        truth.append((closed, time.time()))
    await asyncio.sleep(_APART)
    print(json.dumps(truth), flush=True)
    await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
