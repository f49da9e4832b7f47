"""What serves in a container with a service on Node."""

from __future__ import annotations

import pytest

from course.exercises.kit import node_service
from course.measure.container import Process


@pytest.mark.parametrize(
    ("running", "users"),
    [
        (
            {"sh -c setpriv --reuid node node server.mjs": 0, "/usr/bin/node server.mjs": 1000},
            {1000},
        ),
        ({"node server.mjs": 0, "sleep 9": 1000}, {0}),
        ({"/app/guide server.mjs": 0}, {0}),
    ],
)
def test_who_serves_is_the_process_and_not_what_began_it(
    running: dict[str, int], users: set[int]
) -> None:
    class Served:
        """A container in which these run."""

        def processes(self) -> list[Process]:
            return [Process(9, 0, uid, 0, command, True) for command, uid in running.items()]

    assert node_service.users(Served()) == users  # type: ignore[arg-type]
