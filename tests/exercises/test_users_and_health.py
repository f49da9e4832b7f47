"""What the checks of 04-users-and-health say, on containers in memory."""

from __future__ import annotations

import tarfile
from types import SimpleNamespace
from typing import Any

import pytest

from course.core.errors import CourseError
from course.exercises import users_and_health
from course.exercises.kit.verdict import Wrong
from course.measure.container import Health, Process


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


class Atlas:
    """Healthy; a probe meets the lost answer after some seconds."""

    def __init__(self, seen_after: float, retries: int) -> None:
        self.now, self.lost = 0.0, float("inf")
        self.seen_after, self.retries = seen_after, retries

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, method: str, path: str, **_: Any) -> tuple[int, str]:
        if path == "/lose-one":
            self.lost = self.now
        return 200, ""

    def exit_code(self) -> None:
        return None

    def health(self) -> Health:
        streak = int(0 <= self.now - self.lost - self.seen_after < 1)
        return Health("unhealthy" if streak >= self.retries else "healthy", streak, ())


@pytest.mark.parametrize(("retries", "cause"), [(1, "one-lost-answer"), (2, "")])
def test_a_lost_answer_is_waited_for_as_long_as_a_hang(
    monkeypatch: pytest.MonkeyPatch, retries: int, cause: str
) -> None:
    atlas = Atlas(seen_after=6.8, retries=retries)
    monkeypatch.setattr("time.monotonic", atlas.monotonic)
    monkeypatch.setattr("time.sleep", atlas.sleep)
    served: Any = atlas
    seen = users_and_health.AtlasIsBelievedInTime()._slow_start(served, "")
    assert (seen.wrong.cause if seen.wrong else "") == cause


@pytest.mark.parametrize(
    ("command", "owner", "owned"),
    [
        ("node shelf.mjs", 1000, "/app/shelf.mjs"),
        ("node .", 1000, "/app"),
        ("npm start", 1000, "/app"),
        ("node .", 0, ""),
    ],
)
def test_who_may_change_a_program_is_seen_by_its_folder_too(
    command: str, owner: int, owned: str
) -> None:
    def stat(path: str) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(path)
        entry.uid = entry.gid = owner
        entry.mode = 0o755
        return entry

    served: Any = SimpleNamespace(folder=lambda: "/app", stat=stat)
    running = [Process(1, 0, 1000, 1000, command, first=True)]
    assert users_and_health._program(served, running) == owned
