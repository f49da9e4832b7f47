"""Figures of the load generator: `python -m tests.bench.traffic [--short]`.

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
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from course import paths, traffic
from course.engines import ports
from course.errors import CourseError
from course.traffic.summary import Summary
from tests.bench import closed

_QUIET = 20.0
"""The CPU pressure (PSI, some avg10, %) up to which a bound in milliseconds is judged."""
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


class Row(NamedTuple):
    """One figure.

    Args:
        name: what was measured.
        figure: the value.
        unit: its unit.
        bound: what it is held against, as text.
        ok: whether it holds; `None` where it is recorded only, or the machine was too busy.
        conditions: pressure before and after, and what else matters.
    """

    name: str
    figure: float
    unit: str
    bound: str
    ok: bool | None
    conditions: str


def pressure() -> float:
    """How busy the processors were over the last ten seconds: PSI some avg10 in %, or -1."""
    try:
        text = Path("/proc/pressure/cpu").read_text()
    except OSError:
        return -1.0
    match = re.search(r"some avg10=([\d.]+)", text)
    return float(match[1]) if match else -1.0


class _Conditions:
    """Pressure around a measurement."""

    def __init__(self) -> None:
        self._before = pressure()

    def quiet(self) -> bool:
        return 0 <= max(self._before, pressure()) <= _QUIET

    def __str__(self) -> str:
        return f"CPU pressure {self._before:.0f} → {pressure():.0f} %, {os.cpu_count()} cores"


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


def against_wrk_and_hey(rounds: int = 5, seconds: int = 1) -> list[Row]:
    """Requests/s of one core, beside wrk's and hey's."""
    rows = []
    with nginx() as address:
        for keep_alive in (False, True):
            conditions = _Conditions()
            clients = {"ours": _ours, "wrk": _wrk, "hey": _hey}
            seen: dict[str, list[float]] = {name: [] for name in clients}
            for _ in range(rounds):
                for name, client in clients.items():
                    seen[name].append(client(address, seconds, keep_alive))
            middle = {name: statistics.median(values) for name, values in seen.items()}
            how = "keep-alive" if keep_alive else "a new connection each"
            for name, value in middle.items():
                rows.append(Row(f"{name}, {how}", value, "req/s", "", None, str(conditions)))
            ratio = statistics.median(
                ours / wrk for ours, wrk in zip(seen["ours"], seen["wrk"], strict=True)
            )
            bound, ok = ("", None) if keep_alive else ("≥ 30 % (aim 60 %)", ratio >= 0.3)
            rows.append(Row(f"ours of wrk, {how}", ratio * 100, "%", bound, ok, str(conditions)))
    return rows


def holds(seconds: float = 10) -> list[Row]:
    """Whether 1,000 requests/s are held, and how late the sends are at 500/s."""
    rows = []
    with nginx() as address:
        for rate in (1000, 500):
            conditions = _Conditions()
            run = traffic.start(address, rate=rate, seconds=seconds)
            priority = _priority(run)
            summary = run.wait()
            _adds_up(summary)
            where = f"{conditions}, {priority}"
            if rate == 1000:
                off = abs(summary.rate_achieved / rate - 1) * 100
                rows.append(Row("off 1,000 req/s", off, "%", "≤ 1 %", off <= 1, where))
            else:
                late = summary.late_p99_ms
                ok = late <= 2 if late <= 2 or conditions.quiet() else None
                rows.append(Row("p99 lateness at 500/s", late, "ms", "≤ 2 ms, quiet", ok, where))
            rows.append(Row(f"blind at {rate}/s", summary.blind_ms, "ms", "", None, where))
    return rows


def gaps(count: int = 200, seed: int = 20261124, rate: float = 500) -> list[Row]:
    """Whether each gap of a listener is reported, or the generator says that it was blind."""
    conditions = _Conditions()
    argv = [sys.executable, "-m", "tests.bench.gapserver", str(count), str(seed)]
    server = subprocess.Popen(argv, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        run = traffic.start(f"http://gaps.localhost:{port}/", rate=rate, seconds=count * 0.6 + 30)
        priority = _priority(run)
        truth = json.loads(server.stdout.readline())
        summary = run.stop()
    finally:
        server.kill()
        server.wait(10)
        server.stdout.close()
    _adds_up(summary)
    assert run.started is not None
    assert len(truth) == count
    reported = blind = missed = 0
    errors = []
    long = 0
    for closed_at, open_at in truth:
        begin, end = closed_at - run.started, open_at - run.started
        inside = [o for o in summary.outages if o[0] < end and o[0] + o[1] > begin]
        if end - begin < 0.050:
            continue
        long += 1
        if inside:
            reported += 1
            width = inside[-1][0] + inside[-1][1] - inside[0][0]
            errors.append(abs(width - (end - begin)) * 1000)
        elif run.summary(since=begin, until=end).state == "unknown":
            blind += 1
        else:
            missed += 1
    invented = [
        outage
        for outage in summary.outages
        # A request that was accepted just before the listener closed is lost with it.
        if not any(c - run.started - 0.02 < outage[0] < o - run.started + 0.02 for c, o in truth)
    ]
    where = f"{conditions}, {priority}, {count} gaps of 10–200 ms, seed {seed}, {rate:g}/s"
    return [
        Row("gaps ≥ 50 ms neither reported nor blind", missed, "", "0", missed == 0, where),
        Row("gaps ≥ 50 ms reported", reported, f"of {long}", "", None, where),
        Row("gaps ≥ 50 ms in blind windows", blind, f"of {long}", "", None, where),
        Row(
            "error of a gap's length, median",
            statistics.median(errors),
            "ms",
            "≤ 5 ms",
            None,
            where,
        ),
        Row("losses without a gap", len(invented), "", "0", not invented, where),
    ]


def clean(runs: int = 20, seconds: float = 2) -> list[Row]:
    """Whether runs against a server without a fault report no loss."""
    conditions = _Conditions()
    losses = unknown = planned = 0
    with nginx() as address:
        for _ in range(runs):
            summary = traffic.start(address, rate=500, seconds=seconds).wait()
            _adds_up(summary)
            planned += summary.planned
            losses += summary.failed
            unknown += summary.state == "unknown"
    where = f"{conditions}, {runs} runs, {planned:,} requests"
    return [
        Row("losses in clean runs", losses, "", "0", losses == 0, where),
        Row("clean runs that were blind", unknown, f"of {runs}", "", None, where),
    ]


def _adds_up(summary: Summary) -> None:
    assert summary.planned == summary.ok + summary.failed + summary.late + summary.unsent, summary


def _priority(run: traffic.Run) -> str:
    time.sleep(0.7)  # it has started by now
    policy = os.sched_getscheduler(run.pid) & ~getattr(os, "SCHED_RESET_ON_FORK", 0)
    return "real-time priority" if policy == os.SCHED_RR else "ordinary priority"


def rows(short: bool = False) -> list[Row]:
    """All figures.

    Args:
        short: about 40 s in place of about four minutes.
    """
    if short:
        return [
            *against_wrk_and_hey(rounds=3),
            *holds(seconds=3),
            *gaps(count=30),
            *clean(runs=3),
        ]
    return [*against_wrk_and_hey(), *holds(), *gaps(), *clean()]


def main() -> None:
    """Print all figures; exit code 1 if a bound does not hold."""
    found = rows(short="--short" in sys.argv)
    for row in found:
        mark = {True: "✓", False: "✗", None: " "}[row.ok]
        print(f"{mark} {row.name}: {row.figure:,.1f} {row.unit}  [{row.bound}]  {row.conditions}")
    sys.exit(any(row.ok is False for row in found))


if __name__ == "__main__":
    main()
