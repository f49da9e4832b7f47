"""course.measure.traffic.runs: the load generator against small real servers on loopback.

The machine may be busy: a request may be late, and a run blind. What must hold all the same is
that everything adds up, that nothing is lost or invented, and that a run that was blind says so.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from course.core import locks, paths
from course.core.errors import CourseError
from course.measure import traffic
from course.measure.traffic import feed
from course.measure.traffic.feed import Reader
from course.measure.traffic.summary import Summary
from tests import loopback
from tests.loopback import Server, reply, serving, version
from tests.until import until

pytestmark = pytest.mark.usefixtures("ended")


def url(server: Server, host: str = "orders.localhost", scheme: str = "http") -> str:
    return f"{scheme}://{host}:{server.port}/"


def add_up(summary: Summary) -> None:
    assert summary.planned == summary.ok + summary.failed + summary.late + summary.unsent


# -- what is counted


def test_every_answer_is_counted_by_version() -> None:
    with serving(loopback.mixed(version("v1"), version("v1"), version("v2"))) as server:
        summary = traffic.start(url(server), rate=200, seconds=1.5).wait()
        sent = len(server.heads)
    add_up(summary)
    assert summary.planned == 300
    assert summary.failed == 0
    assert summary.ok + summary.late == sent == server.connections
    assert sum(summary.by_version.values()) == sent
    assert summary.by_version["v2"] == sent // 3
    assert summary.ended == "done"
    assert 0 < summary.p50_ms <= summary.p90_ms <= summary.p99_ms <= summary.max_ms
    assert "Host: orders.localhost:" in server.heads[0]


def test_keep_alive_uses_connections_again() -> None:
    with serving(version("v1")) as server:
        summary = traffic.start(url(server), rate=200, seconds=1, keep_alive=True).wait()
        assert summary.failed == 0
        assert summary.ok + summary.late == len(server.heads)
        assert server.connections < len(server.heads) / 2
    add_up(summary)


def test_a_method_headers_and_a_body_are_sent() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(
            url(server),
            rate=20,
            seconds=0.2,
            method="post",
            headers={"X-Canary": "always"},
            body='{"item":"tea"}',
        )
        assert run.wait().failed == 0
    assert server.heads[0].startswith("POST / HTTP/1.1\r\n")
    assert "X-Canary: always" in server.heads[0]
    assert "Content-Length: 14" in server.heads[0]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (loopback.reset, "reset"),
        (loopback.close, "closed"),
        (loopback.stall, "timeout"),
        (reply("SSH-2.0-OpenSSH_9.2\n"), "not-http"),
        (reply("HTTP/1.1 101 Switching Protocols\nUpgrade: x\n\n"), "not-http"),
        (version("v2", status="503 Service Unavailable"), "503"),
        (reply("HTTP/1.1 404 Not Found\nContent-Length: 0\n\n"), "404"),
        (reply("HTTP/1.1 200 OK\nContent-Length: 10\n\nshort"), "closed"),
    ],
)
def test_a_failure_has_its_kind(answer: loopback.Answer, error: str) -> None:
    with serving(answer) as server:
        summary = traffic.start(url(server), rate=50, seconds=0.4, timeout=0.3).wait()
    add_up(summary)
    assert set(summary.errors) == {error}
    assert summary.ok == 0
    assert summary.state == "failed"
    assert f"{summary.failed} of 20 failed ({summary.failed} {error})" in summary.verdict
    assert summary.by_version == ({"v2": summary.failed} if error == "503" else {})


def test_refused_is_a_kind_as_well() -> None:
    with serving(version("v1")) as server:
        server.shut()
        summary = traffic.start(url(server), rate=100, seconds=0.5).wait()
    add_up(summary)
    assert summary.errors == {"refused": summary.planned - summary.unsent}
    assert len(summary.outages) == 1


@pytest.mark.parametrize(
    "text",
    [
        "HTTP/1.1 200 OK\nX-Orders-Version: v7\nTransfer-Encoding: chunked\n\n2\nok\n0\n\n",
        "HTTP/1.1 200 OK\nX-Orders-Version: v7\n\nuntil the connection ends",
        "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nX-Orders-Version: v7\nContent-Length: 0\n\n",
        "HTTP/1.1 204 No Content\nX-Orders-Version: v7\n\n",
        "HTTP/1.1 302 Found\nLocation: /x\nx-orders-version: v7\nContent-Length: 0\n\n",
    ],
)
def test_answers_come_in_many_forms(text: str) -> None:
    with serving(reply(text)) as server:
        summary = traffic.start(url(server), rate=50, seconds=0.2).wait()
        assert summary.errors == {}
        assert summary.by_version == {"v7": len(server.heads)}


def test_an_answer_without_a_body() -> None:
    text = "HTTP/1.1 200 OK\nX-Orders-Version: v1\nContent-Length: 99\n\n"
    with serving(reply(text)) as server:
        run = traffic.start(url(server), rate=50, seconds=0.2, method="HEAD", keep_alive=True)
        assert run.wait().errors == {}


def test_an_outage_is_seen_with_its_length() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=200, seconds=3)
        until(lambda: len(server.heads) > 50)
        server.shut()
        began = time.time()
        time.sleep(0.4)
        server.open()
        length = time.time() - began
        summary = run.wait()
    add_up(summary)
    assert summary.state == "failed"
    at, seconds = max(summary.outages, key=lambda outage: outage[1])
    # What waits to be accepted when the listener closes is lost too, so it may begin earlier.
    noise = 0.1 + (summary.blind_ms + summary.max_ms) / 1000
    assert seconds <= length + noise
    assert seconds >= 0.3 or summary.blind_ms > 10
    assert run.started is not None
    assert abs(run.started + at - began) < noise
    calm = run.summary(since=at + seconds + 0.2)
    assert calm.failed == 0
    assert calm.planned < summary.planned
    add_up(calm)


# -- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-days", "2", "-subj", "/CN=shop.localhost"]
    argv += ["-addext", "subjectAltName=DNS:shop.localhost"]
    argv += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(argv, check=True, capture_output=True)
    return folder


@pytest.fixture
def secure(certificate: Path) -> Iterator[tuple[Server, Path, list[str | None]]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with serving(version("v1"), context) as server:
        yield server, certificate / "cert.pem", names


@pytest.mark.parametrize("keep_alive", [False, True])
def test_https_with_a_ca_of_ones_own(
    secure: tuple[Server, Path, list[str | None]], keep_alive: bool
) -> None:
    server, ca, names = secure
    address = url(server, "shop.localhost", "https")
    assert traffic.probe(address, ca=ca) == 200
    summary = traffic.start(address, rate=50, seconds=0.6, ca=ca, keep_alive=keep_alive).wait()
    add_up(summary)
    assert summary.errors == {}
    assert summary.by_version == {"v1": len(server.heads) - 1}
    assert set(names) == {"shop.localhost"}


def test_a_certificate_that_is_not_trusted_fails(
    secure: tuple[Server, Path, list[str | None]],
) -> None:
    server, ca, _ = secure
    address = url(server, "shop.localhost", "https")
    with pytest.raises(CourseError, match=r"the certificate of shop\.localhost.*self-signed"):
        traffic.probe(address)
    with pytest.raises(CourseError, match=r"[Hh]ostname mismatch"):
        traffic.probe(url(server, "other.localhost", "https"), ca=ca)
    assert set(traffic.start(address, rate=20, seconds=0.3).wait().errors) == {"tls"}
    assert traffic.probe(address, verify=False) == 200
    assert traffic.start(address, rate=20, seconds=0.3, verify=False).wait().errors == {}


def test_tls_towards_a_server_without_it() -> None:
    with serving(version("v1")) as server:
        with pytest.raises(CourseError, match="does not speak TLS"):
            traffic.probe(url(server, scheme="https"))
        summary = traffic.start(
            url(server, scheme="https"), rate=20, seconds=0.3, timeout=0.5
        ).wait()
        assert summary.ok == 0
        assert summary.failed > 0


# -- the life of a run


def test_the_stream_begins_with_the_first_batch_and_ends_with_the_run() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=100, seconds=1)
        assert run.running
        followed = list(run.follow(timeout=30))
    assert not run.running
    assert followed == run.batches()
    assert run.batches(since=4) == followed[4:]
    assert list(run.follow(since=len(followed) - 1)) == followed[-1:]
    times = [answer.intended for batch in followed for answer in batch.answers]
    times += [at for batch in followed for at in batch.unsent]
    assert sorted(round(at * 100) for at in times) == list(range(100))
    for batch in followed:
        assert all(batch.at - 1e-6 <= a.intended < batch.at + 0.1 + 1e-6 for a in batch.answers)


def test_a_run_can_be_joined_from_another_process() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=100, seconds=30)
        assert [live.id for live in traffic.running()] == [run.id]
        code = (
            "import sys; from course.measure import traffic; run = traffic.join(sys.argv[1]);"
            "batch = next(iter(run.follow(timeout=20))); assert batch.planned > 0;"
            "summary = run.stop(); print(summary.ended, summary.failed)"
        )
        out = subprocess.run(
            [sys.executable, "-c", code, run.id], capture_output=True, text=True, check=True
        )
    assert out.stdout.split() == ["stopped", "0"]
    summary = traffic.join(run.id).summary()
    add_up(summary)
    assert 0 < summary.planned < 3000
    assert traffic.running() == []


def test_a_run_ends_with_its_block_whatever_happens_there() -> None:
    with serving(version("v1")) as server:
        with pytest.raises(KeyError), traffic.start(url(server), rate=20, seconds=60) as run:
            until(lambda: server.heads)
            raise KeyError
        assert traffic.running() == []
    assert run.summary().ended == "stopped"


def test_there_is_no_such_run() -> None:
    with pytest.raises(CourseError, match="no run `nothing`"):
        traffic.join("nothing")


def test_answers_on_their_way_are_awaited_at_a_stop() -> None:
    async def slow(_: Server, writer: asyncio.StreamWriter, __: str) -> bool:
        await asyncio.sleep(0.5)
        return await version("v1")(_, writer, __)

    with serving(slow) as server:
        run = traffic.start(url(server), rate=50, seconds=30)
        until(lambda: len(server.heads) > 10)
        summary = run.stop()
        assert summary.errors == {}
        assert summary.ok + summary.late == len(server.heads)
    add_up(summary)


@pytest.mark.parametrize(
    ("answer", "seconds", "ended"),
    [
        (version("v1"), 600, "orphaned"),
        (loopback.stall, 600, "orphaned"),
        (loopback.stall, 0.2, "done"),  # it only waits for answers
    ],
)
def test_a_generator_ends_when_who_started_it_is_killed(
    answer: loopback.Answer, seconds: float, ended: str
) -> None:
    with serving(answer) as server:
        code = (
            "import sys, time; from course.measure import traffic;"
            f"run = traffic.start(sys.argv[1], rate=50, seconds={seconds}, timeout=60);"
            "print(run.id, flush=True); time.sleep(600)"
        )
        kernel = subprocess.Popen(
            [sys.executable, "-c", code, url(server)], stdout=subprocess.PIPE, text=True
        )
        assert kernel.stdout is not None
        run = traffic.join(kernel.stdout.readline().strip())
        until(lambda: server.heads)
        if ended == "done":
            time.sleep(seconds)
        assert run.running
        os.kill(kernel.pid, signal.SIGKILL)  # not awaited: it stays as a zombie
        until(lambda: not run.running, wait=10)
        kernel.wait()
        kernel.stdout.close()
    summary = run.summary()
    assert summary.ended == ended
    add_up(summary)
    reader = Reader(run.folder / feed.FILE, rate=50)
    list(reader.read())
    assert reader.end is not None
    assert summary.planned == reader.end.planned > 0
    assert summary.errors == {}  # nobody waited as long as the timeout is
    if answer is loopback.stall:
        assert summary.unsent == summary.planned


def test_a_run_goes_on_over_a_restart_when_another_holds_the_lease() -> None:
    with serving(version("v1")) as server:
        code = (
            "import os, sys; from course.measure import traffic;"
            "print(traffic.start(sys.argv[1], rate=50, seconds=60, lease_pid=os.getppid()).id)"
        )
        argv = [sys.executable, "-c", code, url(server)]
        kernel = subprocess.run(argv, capture_output=True, text=True, check=True)
        run = traffic.join(kernel.stdout.strip())
        for batch in run.follow(timeout=30):
            if batch.at >= 1.2:  # longer than it takes to notice a lost lease
                break
        assert run.running
        assert run.stop().ended == "stopped"


def test_a_process_that_took_over_the_number_holds_no_lease() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=50, seconds=60)
        until(lambda: run.summary().ok)
        pid, started, space = run.plan.lease.split("-")
        assert run.plan.lease == locks.process_key()
        other = replace(run.plan, lease=f"{pid}-{started}0-{space}")
        assert run.stop().ended == "stopped"
        other.save(run.folder)
        (run.folder / feed.FILE).unlink()
        argv = [sys.executable, "-P", "-m", "course.measure.traffic.worker", str(run.folder)]
        subprocess.run(argv, check=True, timeout=30)
        assert traffic.join(run.id).summary().ended == "orphaned"


def test_a_lease_is_held_by_a_process_that_is_there() -> None:
    with pytest.raises(CourseError, match="no process 4194305"):
        traffic.start("http://orders.localhost:1/", rate=50, seconds=1, lease_pid=2**22 + 1)


def test_a_run_of_another_version_can_be_joined() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=50, seconds=0.2)
        run.wait()
    file = run.folder / "plan.json"
    older = json.loads(file.read_text()) | {"lease_pid": 1, "lease_started": 0.5}
    del older["lease"]
    file.write_text(json.dumps(older))
    assert traffic.join(run.id).summary().planned == 10


def test_a_sleep_in_the_middle_is_seen_as_blindness() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=200, seconds=2)
        until(lambda: len(server.heads) > 20)
        os.kill(run.pid, signal.SIGSTOP)
        time.sleep(0.7)
        os.kill(run.pid, signal.SIGCONT)
        summary = run.wait()
    add_up(summary)
    assert summary.ended == "done"
    assert summary.errors == {}
    assert summary.planned == 400
    assert summary.blind_ms > 500
    assert summary.unsent > 80
    assert summary.state == "unknown"
    assert summary.verdict.startswith("unknown: blind for ")
    stretches = [stretch for batch in run.batches() for stretch in batch.blind]
    at, seconds = max(stretches, key=lambda stretch: stretch[1])
    assert run.summary(until=at).blind_ms < summary.blind_ms - 500
    assert run.summary(since=at, until=at + seconds).state == "unknown"


def test_a_sleep_over_the_end_is_told_when_no_request_is_left() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=1, seconds=2)
        until(lambda: run.summary().planned == 2)
        os.kill(run.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(run.pid, signal.SIGCONT)
        summary = run.wait()
    add_up(summary)
    assert (summary.planned, summary.ended) == (2, "done")
    assert summary.blind_ms > 500
    assert summary.state == "unknown"


def test_a_sleep_beyond_the_end_of_the_run_is_told_too() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=100, seconds=0.6, timeout=0.2)
        until(lambda: server.heads)
        os.kill(run.pid, signal.SIGSTOP)
        time.sleep(6.5)  # longer than the run and its grace together
        os.kill(run.pid, signal.SIGCONT)
        summary = run.wait()
    add_up(summary)
    assert summary.ended == "done"
    assert summary.blind_ms > 5000
    assert summary.state == "unknown"


def test_a_killed_generator_leaves_no_claim() -> None:
    with serving(version("v1")) as server:
        run = traffic.start(url(server), rate=100, seconds=30)
        next(iter(run.follow(timeout=20)))
        os.kill(run.pid, signal.SIGKILL)
        summary = run.wait(timeout=10)
    assert summary.ended == "died"
    assert summary.state == "unknown"
    add_up(summary)


def test_old_runs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from course.measure.traffic import runs

    monkeypatch.setattr(runs, "_KEPT", 2)
    cut = paths.state() / "traffic/cut"  # what is left of a start that was cut off
    cut.mkdir(parents=True)
    with pytest.raises(CourseError, match="known: none"):
        traffic.join("cut")
    with serving(version("v1")) as server:
        ids = []
        for _ in range(4):
            run = traffic.start(url(server), rate=50, seconds=0.05)
            run.wait()
            ids.append(run.id)
    assert traffic.join(ids[-1]).summary().ended == "done"
    assert traffic.join(ids[-2]).summary().ended == "done"
    with pytest.raises(CourseError):
        traffic.join(ids[0])
    assert not cut.exists()


# -- what is refused


@pytest.mark.parametrize("rate", [0, -5, 1e6, float("nan"), float("inf")])
def test_an_impossible_rate(rate: float) -> None:
    with pytest.raises(CourseError, match="a rate of"):
        traffic.start("http://orders.localhost:1/", rate=rate)
    assert traffic.running() == []


def test_what_is_a_little_too_much_is_not_told_as_what_is_allowed() -> None:
    for over, told in (
        ({"rate": 3000.0001}, "3000.0001"),
        ({"seconds": 3600.0001}, "3600.0001"),
        ({"timeout": 60.00001}, "60.00001"),
    ):
        with pytest.raises(CourseError, match=told):
            traffic.start("http://orders.localhost:1/", **over)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0, -1, 1e9])
def test_an_impossible_time(seconds: float) -> None:
    with pytest.raises(CourseError, match="a run of"):
        traffic.start("http://orders.localhost:1/", seconds=seconds)


@pytest.mark.parametrize(
    "extra",
    [{"method": "GE T"}, {"headers": {"a b": "c"}}, {"headers": {"a": "b\r\nc: d"}}],
)
def test_nothing_can_be_smuggled_into_a_request(extra: dict[str, object]) -> None:
    with pytest.raises(CourseError):
        traffic.start("http://orders.localhost:1/", **extra)  # type: ignore[arg-type]


def test_a_ca_file_that_is_none(tmp_path: Path) -> None:
    for text in (None, "not a certificate"):
        file = tmp_path / "ca.pem"
        if text:
            file.write_text(text)
        with pytest.raises(CourseError, match="CA file"):
            traffic.start("https://orders.localhost:1/", ca=file)


def test_two_generators_on_one_target() -> None:
    with serving(version("v1")) as server:
        first = traffic.start(url(server), rate=20, seconds=30)
        with pytest.raises(CourseError, match=f"already loads .*{first.id}"):
            traffic.start(url(server) + "another/path", rate=20, seconds=1)
        # Another name at the same address is another target: a gateway has many.
        traffic.start(url(server, "shop.localhost"), rate=20, seconds=0.2).wait()
        first.stop()
        traffic.start(url(server), rate=20, seconds=0.2).wait()


def test_files_in_the_folder_where_one_stands_are_not_taken_for_pythons_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("random", "course", "psutil"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('mine')\n")
    monkeypatch.chdir(tmp_path)
    with serving(version("v1")) as server:
        assert traffic.start(url(server), rate=10, seconds=0.5).wait().ok == 5


def test_headers_that_are_no_pairs_are_refused() -> None:
    for headers in (["X-A: 1"], 7):
        with pytest.raises(CourseError, match="as headers"):
            traffic.start("http://orders.localhost:1/", headers=headers)  # type: ignore[arg-type]
