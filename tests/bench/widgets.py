"""What the live views cost: messages, bytes and time in the kernel, and a generator's lateness.

A real kernel runs the code of a notebook; its messages are counted as they leave its socket, with
all of their frames. No browser looks on: what that costs is not in these figures.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psutil
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from course.core import paths
from course.dev import results
from course.dev.results import Row
from course.measure import traffic
from tests.loopback import serving, version

RATE = 500
SECONDS = 10.0
ROUNDS = 3
_WAIT = 120.0
_SUBJECT = ("src/course/views/widgets", "src/course/measure/traffic")
_HEAD = f"""
import sys; sys.path.insert(0, {str(paths.ROOT)!r})
from course.measure import traffic
from course.views.widgets import RolloutTimeline, StrategyControl, TrafficView
from tests.feeds import PlayedRollout, PlayedRun, update
"""
_NOTHING = "dict.fromkeys(('start', 'pause', 'resume', 'undo'), print)"
VIEWS = {
    "traffic": "TrafficView(traffic.join({run!r}))",
    "timeline": "RolloutTimeline(PlayedRollout(update({seconds}), length={seconds}))",
    "strategy": f"StrategyControl(PlayedRollout(update({{seconds}}), length={{seconds}}), "
    f"{_NOTHING})",
}


@dataclass
class Wire:
    """Messages of views as they left a kernel.

    Args:
        sizes: bytes of each update.
        times: when each was sent, in seconds since the epoch.
    """

    sizes: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def busiest(self) -> tuple[int, int]:
        """Most messages and most bytes in one second."""
        most = (0, 0)
        for i, at in enumerate(self.times):
            inside = [s for t, s in zip(self.times[i:], self.sizes[i:], strict=True) if t < at + 1]
            most = (max(most[0], len(inside)), max(most[1], sum(inside)))
        return most


class Kernel:
    """A kernel that runs code, with its own eyes on what it sends."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self._manager, self._client = manager, client
        self.process = psutil.Process(manager.provisioner.pid)  # type: ignore[union-attr]
        self._socket: Any = zmq.Context.instance().socket(zmq.SUB)
        self._socket.subscribe(b"")
        where = manager.get_connection_info()
        self._socket.connect(f"{where['transport']}://{where['ip']}:{where['iopub_port']}")

    def run(self, code: str) -> str:
        """Run code to its end.

        Returns:
            The text of its last expression.
        """
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["msg_type"] == "execute_result":
                said.append(message["content"]["data"]["text/plain"])

        reply = self._client.execute_interactive(code, timeout=_WAIT, output_hook=hear)
        assert reply["content"]["status"] == "ok", reply["content"]
        return said[-1] if said else ""

    def listen(self, seconds: float) -> Wire:
        """The updates of views for so long."""
        wire, end = Wire(), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self._socket.poll(left * 1000):
                break
            frames = self._socket.recv_multipart()
            start = frames.index(b"<IDS|MSG>")
            header = json.loads(frames[start + 2])
            if header["msg_type"] == "comm_msg":
                wire.sizes.append(sum(map(len, frames)))
                wire.times.append(datetime.fromisoformat(header["date"]).timestamp())
        return wire

    def close(self) -> None:
        """Leave its socket."""
        self._socket.close(0)


@contextmanager
def kernel() -> Iterator[Kernel]:
    """A kernel with the views imported, ended after."""
    manager = KernelManager()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=_WAIT)
        made = Kernel(manager, client)
        made.run(_HEAD)
        yield made
        made.close()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def messages(kernel: Kernel, address: str) -> Iterator[Row]:
    """Messages, bytes and kernel time of each view alone."""
    for name, code in VIEWS.items():
        run = traffic.start(address, rate=RATE, seconds=SECONDS)
        kernel.run(f"view = {code.format(run=run.id, seconds=SECONDS)}")
        wire = kernel.listen(SECONDS + 1)
        count, size = wire.busiest()
        took = float(
            kernel.run("sorted(view.took)[int(len(view.took) * 0.99)] if view.took else 0.0")
        )
        run.wait()
        where = f"{RATE} requests/s, {SECONDS:.0f} s; {results.machine()}"
        text = f"{count} messages/s, {size / 1000:.1f} kB/s in the busiest second"
        holds = count <= 10 and size <= 20_000 and bool(wire.sizes)
        bound = "≤ 10 messages/s, ≤ 20 kB/s"
        yield Row(f"what the {name} view sends", text, bound, holds, where, _SUBJECT)
        yield Row(
            f"an update of the {name} view in the kernel",
            f"p99 {1000 * took:.1f} ms of processor",
            "≤ 10 ms",
            took <= 0.010,
            where,
            _SUBJECT,
        )


def six(kernel: Kernel, address: str) -> Iterator[Row]:
    """Six traffic views of one run: processor of the kernel, lateness of the generator."""
    late: dict[bool, list[float]] = {True: [], False: []}
    cpu: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for opened in (False, True):
            run = traffic.start(address, rate=RATE, seconds=SECONDS)
            if opened:
                kernel.run(f"run = traffic.join({run.id!r})")
                kernel.run("views = [TrafficView(run) for _ in range(6)]")
            before, began = _processor(kernel), time.monotonic()
            summary = run.wait()
            cpu[opened].append((_processor(kernel) - before) / (time.monotonic() - began))
            late[opened].append(summary.late_p99_ms)
    where = f"{ROUNDS} rounds of {SECONDS:.0f} s, in turn with none open; {results.machine()}"
    load = 100 * (statistics.median(cpu[True]) - statistics.median(cpu[False]))
    yield Row(
        "processor of the kernel, six traffic views open",
        f"{load:.0f} % of a core",
        conditions=where,
        subject=_SUBJECT,
    )
    with_, without = statistics.median(late[True]), statistics.median(late[False])
    yield Row(
        "p99 lateness of the generator, six traffic views open",
        f"{with_:.2f} ms; {without:.2f} ms with none",
        "a change of ≤ 1 ms",
        with_ - without <= 1.0,
        where,
        _SUBJECT,
    )


def _processor(kernel: Kernel) -> float:
    times = kernel.process.cpu_times()
    return float(times.user + times.system)


def rows() -> Iterator[Row]:
    """Figures of the live views."""
    with kernel() as made, serving(version("1.0.0")) as server:
        address = f"http://127.0.0.1:{server.port}/"
        yield from messages(made, address)
        yield from six(made, address)
