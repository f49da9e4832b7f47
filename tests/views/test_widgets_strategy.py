"""course.views.widgets.strategy: buttons for what can be done now."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from course.core.errors import CourseError
from course.views.widgets import StrategyControl
from course.views.widgets.strategy import RULES, StrategyModel, why_not
from tests.feeds import PlayedRollout, Sample, Status
from tests.feeds import update as updated
from tests.until import until


@pytest.mark.parametrize(
    ("state", "previous", "can"),
    [
        ("complete", 0, ["start"]),
        ("complete", 1, ["start", "undo"]),
        ("progressing", 1, ["pause", "undo"]),
        ("paused", 1, ["resume"]),
        ("stalled", 1, ["start", "pause", "undo"]),
        ("gone", 1, []),
    ],
)
def test_a_button_is_for_what_can_be_done_now(state: str, previous: int, can: list[str]) -> None:
    status = Status(state, previous=previous)
    assert [action for action in RULES if not why_not(action, status)] == can
    assert all(why_not(action, status) for action in RULES if action not in can)


def test_nothing_can_be_pressed_while_something_is_done_or_after_the_end() -> None:
    status = Status("progressing", previous=1)
    assert {why_not(a, status, busy="undo") for a in RULES} == {"undo is being done"}
    assert "run its cell again" in why_not("undo", status, running=False)
    assert why_not("undo", None) == "nothing has been seen yet"


def test_a_model_tells_its_buttons_only_when_they_change() -> None:
    model = StrategyModel(list(RULES))
    clock = [0.0]
    feed = PlayedRollout(updated(12), clock=lambda: clock[0])
    model.read(feed)
    assert model.changes(0)["reasons"]["pause"] == "no rollout is under way"
    assert model.changes(0) == {}
    clock[0] = 1.6
    model.read(feed)
    assert model.changes(0)["reasons"] == {
        "start": "a rollout is under way", "pause": "", "resume": "it is not paused", "undo": "",
    }  # fmt: skip


def control(**actions: Callable[[], object]) -> StrategyControl:
    script = [Sample(0.0, (), Status("progressing", revision=2, previous=1))]
    return StrategyControl(PlayedRollout(script, length=60), actions)


def test_a_button_does_what_it_says_and_says_what_came_of_it() -> None:
    done: list[str] = []

    def pause() -> str:
        done.append("pause")
        return "deployment.apps/shop paused"

    view = control(pause=pause)
    try:
        assert view.buttons == [["pause", "Pause"]]
        view._handle_custom_msg({"do": "press", "action": "pause", "number": 1}, [])
        assert done == ["pause"]
        assert view.acknowledged == 1
        assert view.rows[-1][1:] == ["pause", "deployment.apps/shop paused"]
        assert view.error == {}
    finally:
        view.stop()


def test_an_error_is_one_clear_message() -> None:
    def refuse() -> str:
        raise CourseError("deployment shop is paused already", "one that is not", "resume()")

    def fail() -> str:
        raise KeyError("x")

    view = control(pause=refuse, undo=fail)
    try:
        view.press("pause")
        assert view.error["saw"] == "deployment shop is paused already"
        assert (view.error["want"], view.error["try"]) == ("one that is not", "resume()")
        view.press("undo")
        assert view.error["saw"] == "undo failed: KeyError: 'x'"
        assert view.busy == ""
    finally:
        view.stop()


@pytest.mark.parametrize("action", ["resume", "promote", ""])
def test_what_cannot_be_pressed_is_not_done(action: str) -> None:
    done: list[str] = []
    view = control(pause=lambda: None, resume=lambda: done.append("resume"))
    try:
        view.press(action)
        assert done == []
        assert "was not done" in view.error["saw"]
    finally:
        view.stop()


def test_a_button_without_a_rule_is_refused() -> None:
    with pytest.raises(CourseError, match="no button is called `promote`"):
        control(promote=lambda: None)


def test_a_control_that_has_ended_leaves_what_was_done() -> None:
    view = control(pause=lambda: "deployment.apps/shop paused")
    view.press("pause")
    view.stop()
    until(lambda: not view.running)
    assert "pause   deployment.apps/shop paused" in repr(view.still())
    assert set(view.reasons.values()) == {"the view has ended: run its cell again"}
    assert json.dumps(view.get_state(["rows", "buttons", "reasons", "error"]))
