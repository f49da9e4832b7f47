"""course.views.widgets: what the views send, and how they end; no browser."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest
from jupyter_client.session import Session

from course.core.errors import CourseError
from course.views.widgets import RolloutTimeline, TrafficView
from tests.feeds import PlayedRollout, PlayedRun, Pod, Sample, Status, stalled
from tests.until import until


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Each message of a view: when, kind, content, and its bytes as the kernel sends it."""
    import comm

    sent: list[tuple[float, str, dict[str, Any], int]] = []
    session = Session()
    parent = session.msg_header("execute_request")

    def publish(self: Any, kind: str, data: Any = None, metadata: Any = None, buffers: Any = None,
                **keys: Any) -> None:  # fmt: skip
        data = data or {}
        content = {"data": data, "comm_id": "0" * 32, **keys}
        message = session.msg(kind, content, parent=parent, metadata=metadata)
        size = sum(map(len, session.serialize(message))) + sum(map(len, buffers or ()))
        data = copy.deepcopy(data)
        for path, buffer in zip(data.get("buffer_paths", ()), buffers or (), strict=True):
            holder = data["state"]
            for name in path[:-1]:
                holder = holder[name]
            holder[path[-1]] = bytes(buffer)
        sent.append((time.monotonic(), kind, data, size))

    monkeypatch.setattr(comm.DummyComm, "publish_msg", publish, raising=True)
    yield sent


def updates(wire: list[Any]) -> list[tuple[float, dict[str, Any], int]]:
    return [
        (at, data["state"], size)
        for at, kind, data, size in wire
        if kind == "comm_msg" and data.get("method") == "update"
    ]


@pytest.mark.parametrize("rate", [100, 1000])
def test_traffic_stays_within_ten_messages_and_twenty_kilobytes_a_second(
    wire: list[Any], rate: int
) -> None:
    view = TrafficView(PlayedRun(seconds=3, rate=rate))
    until(lambda: not view.running)
    sent = updates(wire)
    for second in (0, 1, 2):
        began = sent[0][0] + second
        inside = [size for at, _, size in sent if began <= at < began + 1]
        assert len(inside) <= 10
        assert sum(inside) <= 20_000
    # Each delta goes on where the one before ended, and the end's frame has the rest.
    deltas = [state["delta"] for _, state, _ in sent if "delta" in state]
    ends = [delta["first"] + len(delta["cells"]) for delta in deltas]
    assert [delta["first"] for delta in deltas[1:]] == ends[:-1]
    assert view.frame["total"] == 3 * rate
    assert 3 * rate - ends[-1] <= 0.3 * rate


def test_a_rollout_stays_within_ten_messages_and_twenty_kilobytes_a_second(
    wire: list[Any],
) -> None:
    many = [
        Sample(
            i / 50, tuple(Pod(f"shop-{n}", ready=n < i) for n in range(20)), Status("progressing")
        )
        for i in range(100)
    ]
    view = RolloutTimeline(PlayedRollout(many))
    until(lambda: not view.running)
    sent = updates(wire)
    for second in (0, 1):
        began = sent[0][0] + second
        inside = [size for at, _, size in sent if began <= at < began + 1]
        assert len(inside) <= 10
        assert sum(inside) <= 20_000


def test_a_page_that_comes_late_is_whole_from_the_state_alone() -> None:
    view = TrafficView(PlayedRun(seconds=0.5))
    until(lambda: not view.running)
    state = view.get_state()
    assert state["frame"]["total"] == 250
    assert len(state["frame"]["cells"]) == 250
    assert state["rows"][0][:2] == ["1.0.0", "250"]


def test_a_view_ends_at_its_maximum_and_ends_its_feed() -> None:
    run = PlayedRun(seconds=60)
    view = TrafficView(run, maximum=0.3)
    until(lambda: not view.running)
    assert not run.running
    assert view.text.endswith("the view ended after 0 s")


def test_the_stop_button_ends_the_feed() -> None:
    feed = PlayedRollout(length=60)
    view = RolloutTimeline(feed)
    view._handle_custom_msg({"do": "stop"}, [])
    until(lambda: not view.running)
    assert not feed.running


def test_a_feed_that_fails_ends_the_view_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run = PlayedRun(seconds=60)
    view = TrafficView(run)
    run.answer = lambda number, at: 1 / 0  # type: ignore[assignment,return-value]
    until(lambda: not view.running)
    assert "the view ended: ZeroDivisionError" in view.text
    assert capsys.readouterr() == ("", "")


def test_weights_that_cannot_be_read_leave_the_view_running() -> None:
    def weights() -> Any:
        raise CourseError("no HTTPRoute")

    view = TrafficView(PlayedRun(seconds=0.5), weights=weights)
    until(lambda: not view.running)
    assert "the view ended:" not in view.text
    assert view.rows[0][2] == "–"


def test_a_view_without_a_front_end_is_a_sentence_and_a_still() -> None:
    view = TrafficView(PlayedRun(seconds=0.5))
    assert repr(view) == "Traffic: live in JupyterLab; `.still()` gives a picture and a table"
    until(lambda: not view.running)
    still = view.still()
    assert repr(still).splitlines()[1].split()[:2] == ["1.0.0", "250"]
    assert "alt='Traffic: 250 requests, 0 failed; of the last answers 1.0.0 100.0 %" in still.markup


def test_the_stills_of_a_rollout_tell_what_happened() -> None:
    view = RolloutTimeline(PlayedRollout(stalled(), length=0.1, clock=lambda: 99.0))
    until(lambda: not view.running)
    view._model.read(PlayedRollout(stalled(), clock=lambda: 99.0))
    assert "stalled at 8.0 s" in view.still().markup
