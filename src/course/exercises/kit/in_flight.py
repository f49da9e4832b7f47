"""A request that is being answered while something is done to its service."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from dataclasses import dataclass

from course.exercises.kit.served import Served
from course.measure.container import Stopped

WAIT = 6.0
"""Seconds within which an answer begins, and each part of it follows."""
_MOMENT = 0.2


@dataclass(frozen=True)
class Received:
    """What the client of such a request has got.

    Args:
        text: the answer, as far as it came; empty if the request was refused.
        whole: whether the answer came to its end.
        status: its status; 0 if it did not begin.
        seconds: from the request to the answer's end.
    """

    text: str
    whole: bool
    status: int
    seconds: float


@dataclass(frozen=True)
class Ending:
    """How a service ended while a request was in flight.

    Args:
        stopped: after which time, with which exit code.
        late: what a new connection met a second before it would have been killed: `answered`,
            `refused`, or `ended` if it did not last that long.
        kept: whether an answer was over then, and its connection still open.
        silent: whether the connection of a client that has asked nothing was still open then.
        first: what the client of the request in flight has got.
        last: what another client has got, whose request began to be answered right before the
            signal.
        later: what others have got, whose requests came after the signal, the first one first.
    """

    stopped: Stopped
    late: str
    kept: bool
    silent: bool
    first: Received
    last: Received
    later: tuple[Received, ...]


class InFlight:
    """Such a request. Its client keeps the connection, as a load balancer does.

    Args:
        served: the service.
        path: what is asked for.
    """

    def __init__(self, served: Served, path: str) -> None:
        at = served.address() or ("127.0.0.1", 1)  # where it has ended: nobody
        self._connection = http.client.HTTPConnection(*at, timeout=WAIT)
        self._served, self._path = served, path
        self._text = b""
        self._whole, self._status = False, 0
        self._asked = self._ended = time.monotonic()
        self._begun, self._over, self._closed = (threading.Event() for _ in range(3))
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", self._path)
            answer = self._connection.getresponse()
            self._status = answer.status
            while part := answer.read1(1024):
                self._text += part
                self._begun.set()
            self._whole, self._ended = True, time.monotonic()
            self._over.set()
            if self._connection.sock is not None:  # the service has not said that it closes it
                self._connection.sock.recv(1)
        self._begun.set()
        self._over.set()
        self._closed.set()
        self._connection.close()

    def accepted(self) -> bool:
        """Wait until the answer begins, and say whether it has."""
        return self._begun.wait(WAIT) and bool(self._text)

    def done(self) -> bool:
        """Whether the answer was over a moment after it had begun."""
        return self._over.wait(_MOMENT)

    def keeps(self) -> bool:
        """Whether the answer is over, and the service has not closed the connection."""
        return self._over.is_set() and not self._closed.is_set()

    def received(self) -> Received:
        """Wait until the answer is over, and return what came."""
        self._over.wait(WAIT)
        text = self._text.decode(errors="replace")
        return Received(text, self._whole, self._status, self._ended - self._asked)

    def stop(self, grace: int, every: float) -> Ending:
        """Stop the service, beside a client that has connected and asked nothing.

        Args:
            grace: seconds after which it is killed.
            every: after so many seconds each another client asks for the same, until it has ended.
        """
        seen, others = [("ended", False, False)], list[InFlight]()
        silent = _connect(self._served)
        last = InFlight(self._served, self._path)
        last.accepted()

        def knock() -> None:
            kept, silence = self.keeps() or last.keeps(), _is_open(silent)
            status, _ = self._served.get_once()
            seen[0] = ("answered" if status else "refused", kept, silence)

        def ask() -> None:
            others.append(InFlight(self._served, self._path))

        moments = range(1, int((grace - 1) / every))
        timers = [threading.Timer(number * every, ask) for number in moments]
        timers.append(threading.Timer(grace - 1, knock))
        for timer in timers:
            timer.start()
        try:
            stopped = self._served.stop(grace=grace)
        finally:
            for timer in timers:
                timer.cancel()
                timer.join()
            silent.close()
        later = tuple(other.received() for other in others)
        return Ending(stopped, *seen[0], self.received(), last.received(), later)


def _connect(served: Served) -> socket.socket:
    """A connection to a service; one to nobody if it takes none."""
    made = socket.socket()
    made.settimeout(WAIT)
    with contextlib.suppress(OSError):
        made.connect(served.address() or ("127.0.0.1", 1))
    return made


def _is_open(connection: socket.socket) -> bool:
    """Whether the other side has closed a connection on which nothing was said."""
    connection.settimeout(0)
    try:
        connection.recv(1)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
