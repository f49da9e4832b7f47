"""course.exercises.kit.served: a service is asked in bounded time, and its silence explained."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises.kit import served as served_
from course.exercises.kit.reply import Running
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong
from tests.fake_container import Made


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
def answered_by(*pieces: bytes, pause: float = 0.0, forever: bytes = b"") -> Iterator[Served]:
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
    monkeypatch.setattr(served_, "_REQUEST_TIMEOUT", 1.0)
    began = time.monotonic()
    with answered_by(*pieces, pause=pause, forever=forever) as served:
        with pytest.raises(Wrong) as wrong:
            served.get("/orders")
        assert served.get_once() == (0, "")
    assert time.monotonic() - began < 8
    assert wrong.value.cause == "answer-endless"
    assert "GET /orders" in wrong.value.saw and told in wrong.value.saw


def test_an_answer_that_comes_slowly_and_ends_is_an_answer() -> None:
    with answered_by(HEAD, b"Content-Length: 2\r\n", b"\r\no", b"k", pause=0.3) as served:
        assert served.get("/") == (200, "ok")


def test_a_container_that_runs_and_does_not_answer_is_running() -> None:
    made: Any = SimpleNamespace(reload=lambda: None, attrs={"State": {"Running": True}})
    assert Served(made, 3000).condition() == Running()
