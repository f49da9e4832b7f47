"""The load generator beside wrk and hey, its punctuality, and what it sees of outages.

`make bench ONLY=traffic` measures all of it, `python -m tests.bench.traffic` takes a short look.

Each comparison is a ratio within one run on this machine: the same server (nginx with one worker
on one core), the client on another core, one after the other, and the median of several rounds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course.core import paths
from course.core.errors import CourseError
from course.dev import results
from course.dev.results import Row
from course.engine import ports
from course.measure import traffic
from course.measure.traffic.summary import Summary
from tests.bench import closed

SUBJECT = ("src/course/measure/traffic", "tests/bench/closed.py", "tests/bench/gapserver.py")
_QUIET = 20.0
"""The CPU pressure in % up to which a bound in milliseconds is judged."""
_EDGE = 0.005
"""Seconds between what the clocks of two processes may call the same moment."""
_DEBIAN = ("wrk", "libluajit-5.1-2", "hey", "nginx")
_NGINX = """\
worker_processes 1;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ add_header x-orders-version v1; return 200 "hello, world!\\n\\n"; }}
  }}
}}
"""


class _Conditions:
    """Pressure around a measurement.

    Args:
        more: what else matters.
    """

    def __init__(self, more: str = "") -> None:
        self._before = results.pressure()
        self.more = more

    def quiet(self) -> bool:
        """Whether a bound in milliseconds means something here."""
        try:
            return max(float(p.rstrip(" %")) for p in (self._before, results.pressure())) <= _QUIET
        except ValueError:
            return True

    def __str__(self) -> str:
        more = f"{self.more}; " if self.more else ""
        return f"{more}pressure before {self._before}; {results.machine()}"


def _row(name: str, figure: str, bound: str, holds: bool, conditions: _Conditions) -> Row:
    return Row(f"generator: {name}", figure, bound, holds, str(conditions), SUBJECT)


def _timed_row(name: str, ms: float, bound: float, conditions: _Conditions) -> Row:
    """A figure in milliseconds, which a busy machine may miss: there it is told, not judged."""
    judged = ms <= bound or conditions.quiet()
    text = f"≤ {bound:g} ms" if judged else ""
    told = "" if judged else f"; {bound:g} ms is the bound of a quiet machine"
    return _row(name, f"{ms:.1f} ms{told}", text, ms <= bound, conditions)


# -- the tools


def tool(name: str) -> tuple[str, dict[str, str]]:
    """A program of Debian's and its environment: this machine's, else unpacked into the cache.

    It is not installed: nginx's package would start a server.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found:
        return found, dict(os.environ)
    root = paths.cache() / "bench"
    if not (root / "usr").exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=root.parent))
        part.chmod(0o755)
        subprocess.run(
            ["apt-get", "download", *_DEBIAN],
            cwd=part,
            check=True,
            capture_output=True,
            timeout=120,
        )
        for package in part.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, part], check=True, timeout=60)
        part.rename(root)
    binary = next(root.glob(f"usr/*bin/{name}"))
    libraries = next(root.glob("usr/lib/*-linux-gnu"))
    return str(binary), {**os.environ, "LD_LIBRARY_PATH": str(libraries)}


def _on(core: int) -> list[str]:
    return ["taskset", "-c", str(core % (os.cpu_count() or 1))] if shutil.which("taskset") else []


@contextmanager
def nginx() -> Iterator[str]:
    """A fast server on core 0; its address."""
    program, env = tool("nginx")
    port = ports.free(18080)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(_NGINX.format(folder=folder, port=port))
        server = subprocess.Popen(
            [*_on(0), program, "-p", folder, "-c", config], env=env, stderr=subprocess.DEVNULL
        )
        address = f"http://127.0.0.1:{port}/"
        try:
            deadline = time.monotonic() + 10
            while True:
                try:
                    traffic.probe(address)
                    break
                except CourseError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield address
        finally:
            server.terminate()
            server.wait(10)


def _wrk(address: str, seconds: int, keep_alive: bool) -> float:
    program, env = tool("wrk")
    argv = [*_on(1), program, "-t1", f"-c{closed.CONNECTIONS}", f"-d{seconds}"]
    argv += [] if keep_alive else ["-H", "Connection: close"]
    return _figure([*argv, address], r"Requests/sec:\s*([\d.]+)", env)


def _hey(address: str, seconds: int, keep_alive: bool) -> float:
    program, env = tool("hey")
    argv = [*_on(1), program, "-cpus", "1", "-c", str(closed.CONNECTIONS), "-z", f"{seconds}s"]
    argv += [] if keep_alive else ["-disable-keepalive"]
    return _figure([*argv, address], r"Requests/sec:\s*([\d.]+)", env)


def _ours(address: str, seconds: int, keep_alive: bool) -> float:
    argv = [*_on(1), sys.executable, "-m", "tests.bench.closed", address, str(seconds)]
    argv += ["keep-alive"] if keep_alive else []
    return _figure(argv, r"([\d.]+)", dict(os.environ))


def _figure(argv: list[str], pattern: str, env: dict[str, str]) -> float:
    done = subprocess.run(
        argv, env=env, cwd=paths.ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    match = re.search(pattern, done.stdout)
    assert match, done.stdout
    return float(match[1])


# -- the figures


def against_wrk_and_hey(rounds: int = 5, seconds: int = 1) -> Iterator[Row]:
    """Requests/s of one core, beside wrk's and hey's."""
    clients = {"ours": _ours, "wrk": _wrk, "hey": _hey}
    with nginx() as address:
        for keep_alive in (False, True):
            conditions = _Conditions(f"nginx on one core, median of {rounds} rounds")
            seen: dict[str, list[float]] = {name: [] for name in clients}
            for _ in range(rounds):
                for name, client in clients.items():
                    seen[name].append(client(address, seconds, keep_alive))
            ratios = [ours / wrk for ours, wrk in zip(seen["ours"], seen["wrk"], strict=True)]
            ratio = statistics.median(ratios)
            middle = ", ".join(f"{n} {statistics.median(v):,.0f}/s" for n, v in seen.items())
            yield _row(
                f"beside wrk, {'keep-alive' if keep_alive else 'a new connection each'}",
                f"{ratio:.0%} ({middle})",
                "" if keep_alive else "≥ 30 %, aim 60 %",
                ratio >= 0.3,
                conditions,
            )


def holds(seconds: float = 10) -> Iterator[Row]:
    """Whether 1,000 requests/s are held, and how late the sends are at 500/s."""
    with nginx() as address:
        for rate in (1000, 500):
            conditions = _Conditions()
            run = traffic.start(address, rate=rate, seconds=seconds)
            conditions.more = f"{seconds:g} s, {_priority(run)}"
            summary = run.wait()
            _adds_up(summary)
            if rate == 1000:
                off = abs(summary.rate_achieved / rate - 1)
                figure = f"{off:.1%} off, {summary.late} late, blind {summary.blind_ms:.0f} ms"
                yield _row("1,000 requests/s", figure, "≤ 1 % off", off <= 0.01, conditions)
            else:
                yield _timed_row("p99 lateness at 500/s", summary.late_p99_ms, 2, conditions)


def gaps(count: int = 200, seed: int = 20261124, rate: float = 500) -> Iterator[Row]:
    """Whether each gap of a listener is reported, or the generator says that it was blind."""
    conditions = _Conditions()
    argv = [sys.executable, "-m", "tests.bench.gapserver", str(count), str(seed)]
    server = subprocess.Popen(argv, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    # Each wait has an end: without its server the reads below give nothing.
    watchdog = threading.Timer(count * 1.0 + 60, server.kill)
    watchdog.start()
    try:
        port = int(server.stdout.readline())
        run = traffic.start(f"http://gaps.localhost:{port}/", rate=rate, seconds=count * 0.6 + 30)
        conditions.more = f"{count} gaps of 10–200 ms, seed {seed}, {rate:g}/s, {_priority(run)}"
        truth = json.loads(server.stdout.readline())
        summary = run.stop()
    finally:
        watchdog.cancel()
        server.kill()
        server.wait(10)
        server.stdout.close()
    _adds_up(summary)
    began = run.started
    assert began is not None
    closed_ = [(start - began, end - began) for start, end in truth]
    assert len(closed_) == count
    blind, missed, errors = 0, 0, []
    long = [gap for gap in closed_ if gap[1] - gap[0] >= 0.050]
    for start, end in long:
        inside = [o for o in summary.outages if o[0] < end and o[0] + o[1] > start]
        if inside:
            width = inside[-1][0] + inside[-1][1] - inside[0][0]
            errors.append(abs(width - (end - start)) * 1000)
        elif run.summary(since=start, until=end).state == "unknown":
            blind += 1
        else:
            missed += 1
    yield _row(
        "gaps of 50 ms or more",
        f"{len(errors)} of {len(long)} reported, {blind} declared blind, {missed} missed",
        "0 missed",
        missed == 0,
        conditions,
    )
    if errors:
        yield _timed_row(
            "error of a gap's length, median", statistics.median(errors), 5, conditions
        )
    invented = [
        answer
        for batch in run.batches()
        for answer in batch.answers
        # From its time to its end a request may meet a gap: what waits to be accepted is lost too.
        if answer.error
        and not any(
            answer.intended < end + _EDGE
            and answer.intended + answer.latency_ms / 1000 > start - _EDGE
            for start, end in closed_
        )
    ]
    yield _row("losses without a gap", str(len(invented)), "0", not invented, conditions)


def clean(runs: int = 20, seconds: float = 2) -> Iterator[Row]:
    """Whether runs against a server without a fault report no loss."""
    conditions = _Conditions(f"{runs} runs of {seconds:g} s at 500/s")
    losses = unknown = planned = 0
    with nginx() as address:
        for _ in range(runs):
            summary = traffic.start(address, rate=500, seconds=seconds).wait()
            _adds_up(summary)
            planned += summary.planned
            losses += summary.failed
            unknown += summary.state == "unknown"
    figure = f"{losses} of {planned:,}; {unknown} runs blind"
    yield _row("losses in clean runs", figure, "0", losses == 0, conditions)


def _adds_up(summary: Summary) -> None:
    assert summary.planned == summary.ok + summary.failed + summary.late + summary.unsent, summary


def _priority(run: traffic.Run) -> str:
    next(iter(run.follow(timeout=20)))  # it has asked for it by now
    policy = os.sched_getscheduler(run.pid) & ~getattr(os, "SCHED_RESET_ON_FORK", 0)
    return "real-time priority" if policy == os.SCHED_RR else "ordinary priority"


def rows() -> Iterator[Row]:
    """All figures, in about four minutes."""
    yield from against_wrk_and_hey()
    yield from holds()
    yield from gaps()
    yield from clean()


def main() -> None:
    """A short look, in about a minute; nothing is kept."""
    found = [*against_wrk_and_hey(rounds=3), *holds(3), *gaps(30), *clean(3)]
    for row in found:
        print(
            f"{'✓' if row.holds else '✗'} {row.name}: {row.figure}  [{row.bound}]  {row.conditions}"
        )
    sys.exit(not all(row.holds for row in found if row.bound))


if __name__ == "__main__":
    main()
