"""Programs that fork, print and answer without end, in containers of a check on the real Docker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course.core import environment as environment_
from course.exercises.kit.lab import Lab
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong
from tests.until import until

IMAGE = "node:24-slim"
SERVER = "require('http').createServer((q, a) => {{ {answer} }}).listen(3000)"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_.environment().items():
        monkeypatch.setenv(name, value)


@contextlib.contextmanager
def running(*command: str) -> Iterator[tuple[Any, Served]]:
    """A container of a check that runs this command; it is gone after that."""
    lab = Lab("bounds-1")
    with lab.container(IMAGE, port=3000, command=list(command)) as served:
        yield lab.docker, served
        id_ = served._made.id
    assert id_ not in [c["Id"] for c in lab.docker.api.containers(all=True)]


def test_a_fork_bomb_takes_neither_the_machine_nor_the_check() -> None:
    with running("sh", "-c", "f() { f | f & }; f; sleep 60") as (docker, served):
        began, most = time.monotonic(), 0
        while time.monotonic() - began < 5:
            stats = docker.api.stats(served._made.id, stream=False, one_shot=True)
            most = max(most, stats["pids_stats"].get("current", 0))
            asked = time.monotonic()
            assert docker.ping()
            assert time.monotonic() - asked < 3
        assert 0 < most <= 512
        assert served.get("/", wait=2)[0] == 0
    assert time.monotonic() - began < 30


def test_a_program_that_prints_100_mb_fills_neither_disk_nor_memory() -> None:
    with running("sh", "-c", "yes $(printf %0999d) | head -c 100000000; echo end; sleep 60") as (
        _,
        served,
    ):
        until(lambda: "end" in served.log(), "all of its output", wait=60, pause=0.5)
        assert len(served.log()) < 1_000_000
        log = Path(served._made.attrs["LogPath"])
        if log.parent.is_dir():  # Docker is on this machine and we may look
            assert sum(file.stat().st_size for file in log.parent.glob("*.log*")) < 12e6


def test_one_line_of_100_mb_is_read_as_far_as_can_be_wanted() -> None:
    code = "process.stdout.write('y'.repeat(1e8)); setTimeout(() => {}, 6e4)"
    with running("node", "-e", code) as (_, served):
        time.sleep(5)
        began = time.monotonic()
        assert len(served.log()) < 2_000_000 and time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("setInterval(() => a.write('x'), 50)", "bytes in 5 s"),
        ("const more = () => a.write('x'.repeat(1e6), more); more()", "longer than 4 MB"),
    ],
)
def test_an_answer_without_end_is_told(answer: str, told: str) -> None:
    with running("node", "-e", SERVER.format(answer=answer)) as (_, served):
        with pytest.raises(Wrong) as wrong:
            served.get("/")
        assert wrong.value.cause == "answer-endless" and told in wrong.value.saw


def test_a_command_that_prints_without_end_is_left() -> None:
    with running("sleep", "60") as (_, served):
        began = time.monotonic()
        assert len(served.output("yes")) == 4_000_000 and time.monotonic() - began < 15
