"""What a container shows from outside, told by a stand-in for the SDK's container."""

from __future__ import annotations

import contextlib
import io
import itertools
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest

from course.exercises.kit import lab
from course.exercises.kit.lab import Lab, Served
from course.exercises.kit.verdict import Wrong
from course.measure import container as container_
from course.measure.container import Container, Health, Probe, Process


class Made:
    """A container as the SDK shows it."""

    def __init__(self, **state: Any) -> None:
        self.attrs: dict[str, Any] = {"State": {"Pid": 70, "Running": True, "ExitCode": 0} | state}
        self.archives: dict[str, bytes] = {}
        self.rows: list[list[str]] | None = []
        self.stopped_with: int | None = None
        self.said = b""

    def reload(self) -> None:
        """Nothing changes behind our back here."""

    def logs(self, tail: int) -> bytes:
        return self.said

    def top(self, ps_args: str) -> dict[str, Any]:
        if self.rows is None:
            raise docker.errors.APIError("container is not running")
        return {"Titles": ps_args.split(), "Processes": self.rows}

    def get_archive(self, path: str) -> tuple[list[bytes], dict[str, Any]]:
        if path not in self.archives:
            raise docker.errors.NotFound("no such file")
        half = len(self.archives[path]) // 2
        return [self.archives[path][:half], self.archives[path][half:]], {}

    def put_archive(self, folder: str, data: bytes) -> None:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            self.archives[f"{folder}/{archive.getnames()[0]}"] = data

    def stop(self, timeout: int) -> None:
        self.stopped_with = timeout
        self.attrs["State"] |= {"Running": False, "ExitCode": 137}


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


class NeverStarts:
    """A Docker that makes a container and cannot start it."""

    def __init__(self, said: str) -> None:
        self.said = said
        self.removed = False
        self.containers = self

    def list(self, **_: Any) -> list[Any]:
        return []

    def create(self, image: str, **_: Any) -> NeverStarts:
        assert image == "x:lab"
        return self

    def start(self) -> None:
        raise docker.errors.APIError("400", explanation=self.said)

    def remove(self, *, force: bool, v: bool) -> None:
        assert force
        assert v
        self.removed = True


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("unable to find user app: no matching entries in passwd file", "unable to find user app"),
        (
            "failed to create task for container: failed to create shim task: OCI runtime create "
            'failed: runc create failed: unable to start container process: exec: "./start.sh": '
            "permission denied: unknown",
            'container process: exec: "./start.sh": permission denied',
        ),
    ],
)
def test_an_image_that_cannot_start_is_a_wrong_answer_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    engine = NeverStarts(said)
    monkeypatch.setattr(Lab, "docker", engine)
    with pytest.raises(Wrong) as wrong, Lab("x-1").container("x:lab", port=3000):
        pytest.fail("it must not get here")
    assert wrong.value.cause == "cannot-start"
    assert told in wrong.value.saw
    assert "unknown" not in wrong.value.saw
    assert engine.removed


@pytest.mark.parametrize(
    ("running", "said", "cause", "told"),
    [
        (True, b"listens on 8000", "no-answer", "nothing answers on its port 3000"),
        (False, b"", "crashes", "exit code 1: an empty log"),
        (False, b"sh: 1: noode: not found\nbye", "crashes", "exit code 1: sh: 1: noode: not found"),
        (
            False,
            b"throw new Error(x)\n^\nTypeError: no function\n    at a.mjs:1\nNode.js v24",
            "crashes",
            "exit code 1: TypeError: no function",
        ),
    ],
)
def test_a_service_that_does_not_answer_is_told_by_its_end(
    running: bool, said: bytes, cause: str, told: str
) -> None:
    made = Made(Running=running, ExitCode=int(not running))
    made.said = said
    wrong = Served(made, 3000).why_no_answer("x:lab", "an answer")
    assert (wrong.cause, wrong.want) == (cause, "an answer")
    assert wrong.saw.endswith(told)


@contextlib.contextmanager
def answering(*pieces: bytes, pause: float = 0.0, forever: bytes = b"") -> Iterator[Served]:
    """A container at whose port somebody answers so."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                held, _ = listener.accept()
                with contextlib.suppress(OSError), held:
                    held.recv(4096)
                    for piece in itertools.chain(pieces, itertools.repeat(forever)):
                        if not piece:
                            break
                        held.sendall(piece)
                        time.sleep(pause)

    threading.Thread(target=serve, daemon=True).start()
    made = Made()
    made.status = "running"  # type: ignore[attr-defined]
    port = str(listener.getsockname()[1])
    made.ports = {"3000/tcp": [{"HostPort": port}]}  # type: ignore[attr-defined]
    try:
        yield Served(made, 3000)
    finally:
        listener.close()


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("pieces", "pause", "forever", "told"),
    [
        pytest.param([HEAD + b"\r\n"], 0.05, b"x", "bytes in 1 s", id="a body byte by byte"),
        pytest.param([HEAD + b"\r\n"], 0, b"x" * 65536, "longer than 4 MB", id="100 MB"),
        pytest.param([HEAD], 0.05, b"X: y\r\n", "bytes in 1 s", id="headers one by one"),
        pytest.param([HEAD], 0.05, b"X", "bytes in 1 s", id="a header byte by byte"),
        pytest.param(
            [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
            0.05,
            b"1\r\nx\r\n",
            "bytes in 1 s",
            id="chunks",
        ),
    ],
)
def test_an_answer_that_does_not_end_is_a_wrong_answer_in_bounded_time(
    monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], pause: float, forever: bytes, told: str
) -> None:
    monkeypatch.setattr(lab, "_REQUEST_TIMEOUT", 1.0)
    began = time.monotonic()
    with answering(*pieces, pause=pause, forever=forever) as served:
        with pytest.raises(Wrong) as wrong:
            served.get("/orders")
        assert served.get_once() == (0, "")
    assert time.monotonic() - began < 8
    assert wrong.value.cause == "answer-endless"
    assert "GET /orders" in wrong.value.saw and told in wrong.value.saw


def test_an_answer_that_comes_slowly_and_ends_is_an_answer() -> None:
    with answering(HEAD, b"Content-Length: 2\r\n", b"\r\no", b"k", pause=0.3) as served:
        assert served.get("/") == (200, "ok")


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


def test_a_container_of_a_check_is_bounded_whatever_its_program_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    class Engine(NeverStarts):
        def create(self, image: str, **more: Any) -> NeverStarts:
            asked.update(more)
            return self

    monkeypatch.setattr(Lab, "docker", Engine("no"))
    with pytest.raises(Wrong), Lab("x-1").container("x:lab", port=3000, mem_limit="64m"):
        pytest.fail("it must not get here")
    assert asked["pids_limit"] == 512 and asked["mem_limit"] == "64m"
    assert asked["memswap_limit"] == "64m" and "max-size" in asked["log_config"]["Config"]
