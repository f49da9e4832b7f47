"""course.engine.ports: a port that is free."""

from __future__ import annotations

import socket

import pytest

from course.core.errors import CourseError
from course.engine import ports


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert ports.taken(port)
        assert ports.free(port) != port
        with pytest.raises(CourseError, match="all taken"):
            ports.free(port, tries=1)
