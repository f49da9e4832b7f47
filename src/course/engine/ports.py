"""Ports on loopback: chosen once, kept after."""

from __future__ import annotations

import socket

from course.core.errors import CourseError

TRIES = 20
"""How many ports are tried, one after the other."""


def free(preferred: int, *, tries: int = TRIES) -> int:
    """A port on 127.0.0.1 that nothing listens on.

    Args:
        preferred: the first to try; then the ones above it.
        tries: how many to try.

    Raises:
        CourseError: all of them are taken.
    """
    for port in range(preferred, preferred + tries):
        if not taken(port):
            return port
    raise CourseError(
        f"ports {preferred} to {preferred + tries - 1} on 127.0.0.1 are all taken",
        "a free one",
        f"end what listens there: ss -ltnp | grep {preferred}; then: course up",
    )


def taken(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
