"""course.engine.lifecycle: actions in order, halves taken back, waits that end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from course.core.errors import CourseError
from course.core.process import CommandError, Completed
from course.engine import lifecycle
from course.engine.lifecycle import Action, Partial

FAILED = CommandError(Completed(("kind",), 1), "exit code 1")


class Log:
    """What was done and what was said, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.said: list[str] = []

    def report(self, detail: str, fraction: float | None) -> None:
        self.said.append(detail)

    def action(self, name: str, *, done: bool = False, half: Partial | None = None) -> Action:
        return Action(name, lambda _: self.done.append(name), lambda: done, half)

    def failing(self, error: BaseException, half: Partial | None = None) -> Action:
        def do(_: object) -> None:
            self.done.append("fails")
            raise error

        return Action("fails", do, half=half)

    def half(self, mark: Path, error: Exception | None = None) -> Partial:
        def undo() -> None:
            self.done.append("undo")
            if error:
                raise error

        return Partial("a thing", mark, undo)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "state" / "thing-unfinished"


def test_actions_are_done_in_order_and_what_is_so_already_is_passed_over(log: Log) -> None:
    lifecycle.run([log.action("a"), log.action("b", done=True), log.action("c")], log.report)
    assert log.done == ["a", "c"] and log.said == []


def test_nothing_is_done_behind_an_action_that_fails(log: Log) -> None:
    error = CourseError("saw", "want", "try")
    with pytest.raises(CourseError) as caught:
        lifecycle.run([log.action("a"), log.failing(error), log.action("c")], log.report)
    assert log.done == ["a", "fails"] and caught.value is error


def test_a_mark_is_there_while_an_action_is_at_work_and_gone_after_it(log: Log, mark: Path) -> None:
    seen: list[bool] = []
    half = log.half(mark)
    lifecycle.run([Action("a", lambda _: seen.append(mark.exists()), half=half)], log.report)
    assert seen == [True] and not mark.exists() and log.done == []


@pytest.mark.parametrize("error", [FAILED, CourseError("saw", "want", ""), KeyboardInterrupt()])
def test_what_an_action_leaves_that_fails_or_is_interrupted_is_removed(
    log: Log, mark: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        lifecycle.run([log.failing(error, log.half(mark))], log.report)
    assert log.done == ["fails", "undo"] and not mark.exists()


def test_what_could_not_be_removed_is_removed_by_the_next_run(log: Log, mark: Path) -> None:
    with pytest.raises(CommandError) as caught:
        lifecycle.run([log.failing(FAILED, log.half(mark, FAILED))], log.report)
    assert caught.value is FAILED and mark.exists()
    log.done.clear()
    lifecycle.run([log.action("a", half=log.half(mark))], log.report)
    assert log.done == ["undo", "a"] and log.said == ["removing half a thing"]
    assert not mark.exists()


def test_half_a_thing_is_removed_before_it_is_asked_whether_it_is_there(
    log: Log, mark: Path
) -> None:
    mark.parent.mkdir()
    mark.touch()
    asked: list[bool] = []

    def there() -> bool:
        asked.append(mark.exists())
        return True

    lifecycle.run([Action("a", lambda _: None, there, log.half(mark))], log.report)
    assert log.done == ["undo"] and asked == [False]


def late(left: object) -> CourseError:
    return CourseError(f"not there: {left}", "all of it", "wait longer")


def test_a_wait_ends_when_nothing_is_missing(log: Log) -> None:
    missing = [["a", "b"], ["b"], []]
    wait = lifecycle.awaited("all", lambda _: missing.pop(0), wait=30, pause=0.01, late=late)
    lifecycle.run([wait, log.action("next")], log.report)
    assert missing == [] and log.done == ["next"]


def test_a_wait_ends_at_its_deadline_and_names_what_is_missing(log: Log) -> None:
    wait = lifecycle.awaited("all", lambda _: ["b"], wait=0.05, pause=0.01, late=late)
    with pytest.raises(CourseError, match=r"not there: \['b'\]"):
        lifecycle.run([wait, log.action("next")], log.report)
    assert log.done == []


def test_a_wait_that_can_lead_nowhere_ends_at_once(log: Log) -> None:
    def gone(_: object) -> list[str]:
        raise FAILED

    began = time.monotonic()
    with pytest.raises(CommandError):
        lifecycle.run([lifecycle.awaited("x", gone, wait=60, pause=1, late=late)], log.report)
    assert time.monotonic() - began < 30
