"""course.measure.container: a container from outside, told by a stand-in for the SDK's."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from course.exercises.kit.served import Served
from course.measure import container as container_
from course.measure.container import Container, Health, Probe, Process
from tests.fake_container import Made


def test_the_first_process_comes_first() -> None:
    made = Made()
    node = ["12", "70", "1000", "1000", "0", "1000", "1000", "1000", "1000,27"]
    shell = ["70", "1", "0", "0", "0", "0", "0", "0", "-"]
    made.rows = [[*node, "node a.mjs"], [*shell, "sh -c node"]]
    first, second = Container(made).processes()
    assert first == Process(70, 1, 0, 0, "sh -c node", first=True)
    assert (second.uid, second.uids, second.first) == (1000, frozenset({0, 1000}), False)
    assert (second.gid, second.gids) == (1000, frozenset({27, 1000}))


def test_a_container_that_has_ended_has_no_processes() -> None:
    made = Made(Running=False)
    made.rows = None
    assert Container(made).processes() == []


def test_a_file_is_put_with_its_owner_and_read_back() -> None:
    seen = Container(Made())
    seen.put("/probe/budget.txt", b"100", uid=7, mode=0o640)
    entry = seen.stat("/probe/budget.txt")
    assert entry is not None
    assert (entry.uid, entry.gid, entry.mode) == (7, 7, 0o640)
    assert seen.read("/probe/budget.txt") == b"100"
    assert seen.read("/probe/other.txt") is None
    assert seen.stat("/probe/other.txt") is None


def test_health_without_a_check_and_with_one() -> None:
    assert Container(Made()).health() == Health("none", 0, ())
    times = {"Start": "1970-01-01T00:01:00.123456789Z", "End": "1970-01-01T01:01:02.5+01:00"}
    log = [times | {"ExitCode": -1, "Output": "exceeded timeout\n"}]
    made = Made(Health={"Status": "unhealthy", "FailingStreak": 3, "Log": log})
    probe = Probe(60.123456, 62.5, -1, "exceeded timeout")
    assert Container(made).health() == Health("unhealthy", 3, (probe,))


def test_health_before_the_first_probe() -> None:
    made = Made(Health={"Status": "starting", "FailingStreak": 0, "Log": None})
    assert Container(made).health() == Health("starting", 0, ())


def test_a_container_says_when_it_started_and_by_which_numbers_it_is_judged() -> None:
    made = Made(StartedAt="1970-01-01T00:01:00.5Z")
    made.attrs["Config"] = {"Healthcheck": {"Test": ["CMD", "true"]}}
    assert (Container(made).started(), Container(made).retries()) == (60.5, 3)
    made.attrs["Config"]["Healthcheck"]["Retries"] = 8
    assert (Container(made).retries(), Container(made).probe_timeout()) == (8, 30)
    made.attrs["Config"]["Healthcheck"] |= {"Timeout": 15 * 10**8, "StartPeriod": 4 * 10**9}
    assert (Container(made).probe_timeout(), Container(made).start_period()) == (1.5, 4)


def test_a_stop_tells_how_it_ended() -> None:
    made = Made()
    stopped = Container(made).stop(grace=4)
    assert made.stopped_with == 4
    assert (stopped.code, stopped.seconds < 1) == (137, True)
    assert Container(made).exit_code() == 137


class Exec(Made):
    """A container in which a command's output comes over a socket, as Docker sends it."""

    def __init__(self, *chunks: bytes, endless: bool = False) -> None:
        super().__init__()
        self.id = "c1"
        self.client = SimpleNamespace(api=self)
        ours, self.theirs = socket.socketpair()
        self._held = socket.SocketIO(ours, "rb")
        pieces = itertools.chain(chunks, itertools.repeat(b"y" * 65536) if endless else ())

        def send() -> None:
            with contextlib.suppress(OSError):
                for chunk in pieces:
                    self.theirs.sendall(b"\x01\0\0\0" + len(chunk).to_bytes(4, "big") + chunk)
                if chunks:
                    self.theirs.shutdown(socket.SHUT_WR)

        self.sender = threading.Thread(target=send, daemon=True)
        self.sender.start()

    def exec_create(self, container: str, argv: list[str]) -> dict[str, str]:
        return {"Id": "e1"}

    def exec_start(self, id_: str, socket: bool) -> Any:
        return self._held


class Ends(Exec):
    """A container that ends before a command is started in it."""

    def exec_create(self, container: str, argv: list[str]) -> dict[str, str]:
        raise docker.errors.APIError("409 Conflict: container c1 is not running")


def test_a_command_in_a_container_that_has_ended_prints_nothing() -> None:
    assert Served(Ends(), 3000).run("node", "--version") == ""


def test_of_a_log_that_is_one_endless_line_the_end_is_read() -> None:
    made = Made()
    made.logs = lambda tail: b"y" * 10_000_000 + b"\nError: full"  # type: ignore[method-assign]
    assert len(Container(made).log()) == 64_000
    assert Container(made).log().endswith("\nError: full")


def test_what_a_command_prints_comes_whole() -> None:
    assert Container(Exec(b"1000", b"\n")).output("id", "-u") == b"1000\n"
    assert Served(Exec(b"1000\n"), 3000).run("id", "-u") == "1000"


def test_of_what_a_command_prints_without_end_as_much_is_read_as_a_check_can_want() -> None:
    made = Exec(endless=True)
    assert len(Container(made).output("yes")) == 4_000_000
    made.sender.join(5)
    assert not made.sender.is_alive(), "who sends must be told that nobody reads"


def test_a_command_that_neither_prints_nor_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_, "_COMMAND_WAIT", 0.2)
    began = time.monotonic()
    made = Exec()
    assert Container(made).output("sleep") == b"" and time.monotonic() - began < 5
    assert made.theirs.recv(1) == b""
