"""course.measure.traffic.console: `course load`, and what is typed for it."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from course.core.errors import CourseError
from course.measure import traffic
from course.measure.traffic.console import header, seconds
from tests import loopback
from tests.loopback import Server, serving, version
from tests.test_cli import course
from tests.until import until

pytestmark = pytest.mark.usefixtures("ended")


def test_a_header_as_one_types_it() -> None:
    assert header("X-A: b: c") == ("X-A", " b: c")
    assert header("X-A:") == ("X-A", "")
    with pytest.raises(CourseError, match="no header"):
        header("X-A")


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90", 90),
        ("30s", 30),
        ("1.5m", 90),
        ("1h", 3600),
        ("500ms", 0.5),
        ("300 ms", 0.3),
        (".5s", 0.5),
        ("1m30s", 90),
        ("1h 1m 1s 1ms", 3661.001),
        (" 2 m ", 120),
        ("0s", 0),
    ],
)
def test_a_length_of_time_as_one_types_it(text: str, length: float) -> None:
    assert seconds(text) == length


@pytest.mark.parametrize(
    "text", ["", "s", "soon", "-5s", "1d", "nan", "inf", "1e3", "1 2", "1m30", ".", "9" * 5000]
)
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(CourseError, match="no length of time"):
        seconds(text)


def url(server: Server, host: str = "orders.localhost", scheme: str = "http") -> str:
    return f"{scheme}://{host}:{server.port}/"


def test_load_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(version("v1")) as server:
        code, out, _ = course(
            capsys, "load", url(server), "--rate", "50", "--for", "500ms", "--json"
        )
    assert code == 0
    facts = json.loads(out.splitlines()[-1])
    assert facts["planned"] == 25
    assert facts["planned"] == sum((facts["ok"], facts["failed"], facts["late"], facts["unsent"]))
    assert {"errors", "blind_ms", "by_version", "p50_ms", "p99_ms", "verdict"} <= set(facts)


def test_load_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(loopback.mixed(version("v1"), version("v2"))) as server:
        code, out, _ = course(capsys, "load", url(server), "--rate", "50", "--for", "0.4")
    assert code == 0
    for part in ("planned", "ok", "failed", "version v1", "version v2", "p99", "blind"):
        assert part in out


@pytest.mark.parametrize(
    ("words", "saw"),
    [
        (["--rate", "0"], "a rate of 0"),
        (["--rate", "-1"], "a rate of -1"),
        (["--rate", "1000000"], "a rate of 1000000 "),
        (["--for", "soon"], "`soon` is no length of time"),
        (["-H", "nothing"], "`nothing` is no header"),
    ],
)
def test_load_refuses(words: list[str], saw: str, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(version("v1")) as server:
        code, out, err = course(capsys, "load", url(server), *words)
        assert server.heads == []
    assert code == 1
    assert saw in err
    assert "Traceback" not in err
    assert not out


def test_load_says_at_once_that_nothing_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code, _, err = course(capsys, "load", f"http://orders.localhost:{port}/")
    assert code == 1
    assert f"nothing answers HTTP at 127.0.0.1:{port}" in err
    assert traffic.running() == []


def test_ctrl_c_prints_what_was_measured() -> None:
    with serving(version("v1")) as server:
        argv = [sys.executable, "-m", "course.cli", "load", url(server), "--for", "10m", "--json"]
        command = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: len(server.heads) > 50)
        command.send_signal(signal.SIGINT)
        out, _ = command.communicate(timeout=20)
    facts = json.loads(out.splitlines()[-1])
    assert facts["ended"] == "stopped"
    assert facts["planned"] >= 50
    assert command.returncode == 130
    assert traffic.running() == []


def test_a_generator_that_dies_is_no_success(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _python(tmp_path, monkeypatch, "echo no module named course >&2; exit 1")
    with serving(version("v1")) as server:
        code, out, err = course(capsys, "load", url(server), "--for", "1s", "--json")
    assert code == 1
    assert "the generator died after 0 planned requests (" in err
    assert json.loads(out)["ended"] == "died"


def _python(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Run the generator by a shell script in place of Python."""
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(file))


def test_a_generator_that_is_killed_leaves_its_figures_and_an_error() -> None:
    with serving(version("v1")) as server:
        argv = [sys.executable, "-m", "course.cli", "load", url(server), "--for", "10m", "--json"]
        command = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until(lambda: len(server.heads) > 500)
        [run] = traffic.running()
        subprocess.run(["kill", "-9", str(run.pid)], check=True)
        out, err = command.communicate(timeout=30)
    assert command.returncode == 1
    assert "the generator died after " in err
    assert json.loads(out)["planned"] > 0


def test_a_run_that_sent_nothing_is_no_success(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # As on a machine that has no file left for a single connection.
    _python(tmp_path, monkeypatch, f'ulimit -n 64; exec {shlex.quote(sys.executable)} "$@"')
    with serving(version("v1")) as server:
        code_, out, err = course(capsys, "load", url(server), "--rate", "20", "--for", "1s")
    assert code_ == 1
    assert "none of 20 requests was sent" in err
    assert "unsent" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-H", "X Name: v"], "'X Name' as the name of a header"),
        (["-H", ": v"], "a header without a name"),
        (["-H", "X-Name: a\nb"], "control character"),
        (["-H", "Transfer-Encoding: chunked"], "Transfer-Encoding"),
        (["-H", "Content-Length: 5"], "Content-Length: 5, and the body has 0 bytes"),
        (["--method", "GE T"], "as the name of a method"),
        (["--version-header", "x y"], "as the name of a header"),
        (["--version-header", "Łódź"], "as the name of a header"),
        (["--rate", "nan"], "a rate of nan"),
        (["--rate", "inf"], "a rate of inf"),
        (["--rate", "1e9"], "a rate of 1000000000 "),
        (["--for", "0s"], "a run of 0 s"),
        (["--for", "1h1s"], "a run of 3601 s"),
        (["--timeout", "nan"], "a timeout of nan"),
        (["--timeout", "0"], "a timeout of 0"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(version("v1")) as server:
        code, out, err = course(capsys, "load", url(server), *words)
        assert server.connections == 0
    assert (code, out) == (1, "")
    assert told in err
    assert "Traceback" not in err


def test_versions_may_look_like_markup_and_be_many(capsys: pytest.CaptureFixture[str]) -> None:
    count = 0

    async def answer(server: Server, writer: asyncio.StreamWriter, head: str) -> bool:
        nonlocal count
        count += 1
        name = "[/red]" if count % 2 else f"v{count}"
        return await version(name)(server, writer, head)

    with serving(answer) as server:
        code, out, err = course(capsys, "load", url(server), "--rate", "100", "--for", "1s")
    assert (code, err) == (0, "")
    assert "version [/red] (" in out
    assert " other versions (" in out
    assert out.count("version v") < 20
