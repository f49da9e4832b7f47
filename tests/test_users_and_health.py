"""What the checks of 04-users-and-health say when the machine itself is too slow."""

from __future__ import annotations

from typing import Any

import pytest

from course.errors import CourseError
from course.exercises import Wrong, users_and_health


class Served:
    """A container in which a command takes so long."""

    def __init__(self, seconds: float, code: int | None = None) -> None:
        self.seconds, self.code = seconds, code

    def seconds_of(self, *argv: str) -> float:
        assert argv[0] == "node"
        return self.seconds

    def exit_code(self) -> int | None:
        return self.code


def judged(served: Any, cause: str) -> None:
    wrong = Wrong(cause, saw="it is starting", want="healthy", try_="")
    users_and_health._not_too_busy(served, wrong)


def test_on_a_busy_machine_no_answer_is_wrong_by_seconds() -> None:
    with pytest.raises(CourseError) as error:
        judged(Served(2.5), "healthy-late")
    assert "2.5 s" in error.value.saw
    assert "it is starting" in error.value.saw
    assert "again" in error.value.try_


@pytest.mark.parametrize(
    ("served", "cause"),
    [
        (Served(0.2), "healthy-late"),  # quick enough: the answer is what is wrong
        (Served(2.5), "no-health-check"),  # no matter of seconds
        (Served(2.5, code=1), "never-healthy"),  # it has ended: nothing to measure in it
    ],
)
def test_otherwise_the_answer_is_judged(served: Any, cause: str) -> None:
    judged(served, cause)
