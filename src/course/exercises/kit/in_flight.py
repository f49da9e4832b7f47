"""A request that is being answered while something is done to its service."""

from __future__ import annotations

import contextlib
import http.client
import threading
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
    """

    text: str
    whole: bool


@dataclass(frozen=True)
class Ending:
    """How a service ended while a request was in flight.

    Args:
        stopped: after which time, with which exit code.
        late: what a new connection met a second before it would have been killed: `answered`,
            `refused`, or `ended` if it did not last that long.
        kept: whether the first answer was over then, and its connection still open.
        first: what the client of the request in flight has got.
        later: what another client has got, whose request came after the signal.
    """

    stopped: Stopped
    late: str
    kept: bool
    first: Received
    later: Received


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
        self._whole = False
        self._begun, self._over, self._closed = (threading.Event() for _ in range(3))
        threading.Thread(target=self._ask, daemon=True).start()

    def _ask(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", self._path)
            answer = self._connection.getresponse()
            while part := answer.read1(1024):
                self._text += part
                self._begun.set()
            self._whole = True
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
        return Received(self._text.decode(errors="replace"), self._whole)

    def stop(self, grace: int, later: float) -> Ending:
        """Stop the service.

        Args:
            grace: seconds after which it is killed.
            later: seconds after the signal at which another client asks for the same.
        """
        seen, others = [("ended", False)], list[InFlight]()

        def knock() -> None:
            kept, (status, _) = self.keeps(), self._served.get_once()
            seen[0] = ("answered" if status else "refused", kept)

        timers = [
            threading.Timer(later, lambda: others.append(InFlight(self._served, self._path))),
            threading.Timer(grace - 1, knock),
        ]
        for timer in timers:
            timer.start()
        try:
            stopped = self._served.stop(grace=grace)
        finally:
            timers[0].join()
            timers[1].cancel()
            timers[1].join()
        return Ending(stopped, *seen[0], self.received(), others[0].received())
