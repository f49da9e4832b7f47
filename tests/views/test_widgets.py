"""course.views.widgets: models from feeds to traits, what is sent, and the end; no browser."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jupyter_client.session import Session

from course.core.errors import CourseError
from course.views.widgets import RolloutTimeline, StrategyControl, TrafficView, stills
from course.views.widgets.answers import COLUMNS, OTHERS, TrafficModel, outcome
from course.views.widgets.pods import GONE, READY, STATES, TimelineModel
from course.views.widgets.strategy import RULES, StrategyModel, why_not
from tests.feeds import Answer, Batch, PlayedRollout, PlayedRun, Pod, Sample, Status, stalled
from tests.feeds import update as updated
from tests.until import until


def answers(*pairs: tuple[str, str], at: float = 0.0) -> Batch:
    return Batch(at, tuple(Answer(at, version=v, error=e) for v, e in pairs))


def model_of(*batches: Batch) -> TrafficModel:
    model = TrafficModel()
    model.add(batches)
    return model


# -- traffic


@pytest.mark.parametrize(
    ("error", "expected"),
    [("", 0), ("404", 1), ("502", 1), ("refused", 2), ("reset", 2), ("tls", 2), ("timeout", 3)],
)
def test_a_failure_has_a_shape_by_how_it_ended(error: str, expected: int) -> None:
    assert outcome(error) == expected


def test_every_answer_is_a_cell_with_its_version_and_its_end() -> None:
    model = model_of(answers(("1.0.0", ""), ("1.1.0", ""), ("", "refused"), ("1.1.0", "502")))
    delta = model.changes(0)["delta"]
    assert delta["cells"] == bytes([1, 2, 2 << 4, 1 << 4 | 2])
    assert (delta["first"], delta["versions"]) == (0, ["1.0.0", "1.1.0"])
    assert delta["columns"] == [[0, 1, 1, 0, 1, 1]]


def test_an_answer_without_a_version_is_counted_as_such() -> None:
    model = model_of(answers(("", "")))
    assert model.versions == ["no version"]
    assert model.columns == [[0, 0, 0, 1]]


def test_the_deltas_of_a_run_hold_every_answer_once() -> None:
    clock = [0.0]
    run = PlayedRun(seconds=20, clock=lambda: clock[0])
    model = TrafficModel()
    seen = bytearray()
    while run.running:
        clock[0] += 0.137  # a view that is never in step with its feed
        model.read(run)
        delta = model.changes(clock[0]).get("delta")
        if delta:
            assert delta["first"] == len(seen)
            seen += delta["cells"]
    assert len(seen) == 20 * 500 == model.total
    assert sum(code >> 4 > 0 for code in seen) == model.failed.total() > 0
    assert sum(map(sum, model.columns)) == model.total
    assert model.columns[0] == [0, 0, 0, 50]


def test_a_slow_answer_stands_where_it_was_to_be_sent() -> None:
    model = model_of(answers(("1", "")), answers(("1", ""), at=0.1), answers(("", "timeout")))
    assert model.columns == [[0, 0, 1, 1], [0, 0, 0, 1]]


def test_a_long_run_has_wider_columns_and_loses_nothing() -> None:
    model = TrafficModel()
    for number in range(1000):
        model.add([answers(("1", "" if number % 10 else "refused"), at=number * 0.1)])
    assert model.width == pytest.approx(0.4)
    assert len(model.columns) <= COLUMNS
    assert [sum(c[i] for c in model.columns) for i in (0, 1, 2, 3)] == [0, 100, 0, 900]
    assert model.changes(0)["frame"]["width"] == model.width


def test_more_versions_than_glyphs_are_told_together() -> None:
    model = model_of(answers(*((str(i), "") for i in range(40))))
    assert len(model.versions) == 15
    assert model.versions[-1] == OTHERS
    assert sum(model.columns[0]) == 40


def test_a_share_has_its_interval_and_forgets_what_was_before_new_weights() -> None:
    model = TrafficModel(window=1000)
    model.weigh({"1.0.0": 100}, {})
    model.add([answers(*[("1.0.0", "")] * 1000)])
    model.weigh({"1.0.0": 90, "1.1.0": 10}, {"1.0.0": 91, "1.1.0": 9})
    model.add([answers(*[("1.0.0", "")] * 180, *[("1.1.0", "")] * 20)])
    share, low, high = model.share(2)
    assert share == 10.0
    assert (round(low, 1), round(high, 1)) == (6.6, 14.9)
    header, (_, new) = model.table()
    assert header[2:4] == ["set", "routed"]
    assert new[:5] == ["1.1.0", "20", "10 %", "9 %", "10.0 % (6.6 to 14.9)"]


def test_the_table_tells_failures_by_kind() -> None:
    model = model_of(answers(("1", ""), ("", "refused"), ("", "refused"), ("1", "502")))
    header, rows = model.table()
    assert header[:3] == ["version", "answered well", "measured, 95 %"]
    assert [row[:3] for row in rows] == [
        ["1", "1", "100.0 % (34.2 to 100.0)"],
        ["failed", "3", "refused 2, 502 1"],
    ]
    assert model.text().startswith("4 requests in 0 s, 3 failed (2 refused, 1 502)")


def test_what_the_generator_did_not_see_is_told() -> None:
    model = model_of(Batch(0.0, (Answer(0.0),), unsent=(0.01, 0.02), blind=((0.01, 0.12),)))
    assert model.text().endswith("; 2 unsent; the generator was blind for 120 ms")


def test_what_is_read_aloud_is_rare() -> None:
    clock = [0.0]
    run = PlayedRun(seconds=20, clock=lambda: clock[0])
    model, said = TrafficModel(), []
    while run.running:
        clock[0] += 0.1
        model.read(run)
        said.append(model.changes(clock[0]).get("announcement", ""))
    assert [s for s in said if s] == [
        "First answer of 1.1.0",
        "The first request has failed",
        "46 requests have failed",
    ]


# -- the timeline


def lives(model: TimelineModel) -> dict[str, list[tuple[float, str]]]:
    return {
        bar.name.split("-")[-1]: [(at, STATES[state]) for at, state in bar.changes]
        for bar in model.bars
    }


def test_a_pod_is_a_bar_from_its_start_to_its_end() -> None:
    model = TimelineModel()
    model.read(PlayedRollout(updated(12), clock=lambda: 99))
    found = lives(model)
    assert found["b8m2c"] == [(1.5, "starting"), (2.7, "ready")]
    assert found["k2x8p"] == [(0.0, "ready"), (3.0, "terminating"), (4.41, "gone")]
    assert [what for _, what in model.marks] == [
        "revision 2: 1.1.0",
        "paused",
        "resumed",
        "complete",
    ]
    assert model.table()[1] == [
        ["1.0.0", "1", "0", "0", "0", "0", "3"],
        ["1.1.0", "2", "3", "0", "0", "0", "0"],
    ]


def test_a_pod_that_cannot_start_says_why() -> None:
    model = TimelineModel()
    model.read(PlayedRollout(stalled(), clock=lambda: 99))
    assert lives(model)["t4w7x"] == [(2.0, "cannot start")]
    assert model.text().startswith("stalled: 1 of 3 replicas updated; shop-6c8f9d-t4w7x: ImagePull")
    assert model.marks[-1] == (8.0, "stalled")


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        ("", "starting"),
        ("Pending", "starting"),
        ("ContainerCreating", "starting"),
        ("PodInitializing", "starting"),
        ("Init:0/12", "starting"),
        ("Running", "starting"),
        ("NotReady", "starting"),
        ("Init:Error", "cannot start"),
        ("Init:CrashLoopBackOff", "cannot start"),
        ("SchedulingGated", "cannot start"),
        ("OOMKilled", "cannot start"),
        ("Signal:9", "cannot start"),
    ],
)
def test_the_words_of_kubectl_tell_what_is_on_its_way_from_what_cannot_start(
    phase: str, state: str
) -> None:
    model = TimelineModel()
    model.add(Sample(0.0, (Pod("a-b-c", phase=phase, ready=False),), Status()))
    assert lives(model) == {"c": [(0.0, state)]}


def test_a_pod_that_no_node_takes_cannot_start_though_it_is_pending() -> None:
    model, held = TimelineModel(), Status(waiting=("a-b-c: Unschedulable: Insufficient cpu",))
    pending = Pod("a-b-c", phase="Pending", ready=False)
    model.add(Sample(0.0, (pending,), held))
    assert lives(model) == {"c": [(0.0, "cannot start")]}


def test_a_pod_that_was_evicted_is_gone() -> None:
    model = TimelineModel()
    model.add(Sample(0.0, (Pod("a-b-c"),), Status()))
    model.add(Sample(2.0, (Pod("a-b-c", phase="Evicted", ready=False, finished=True),), Status()))
    assert lives(model) == {"c": [(0.0, "ready"), (2.0, "gone")]}


def test_a_pod_that_comes_back_under_its_name_with_another_version_is_another_bar() -> None:
    model = TimelineModel()
    model.add(Sample(0.0, (Pod("web-0", "1.0.0"),), Status()))
    model.add(Sample(2.0, (Pod("web-0", "1.1.0"),), Status()))
    assert [(bar.version, bar.changes) for bar in model.bars] == [
        (1, [(0.0, READY), (2.0, GONE)]),
        (2, [(2.0, READY)]),
    ]


def test_a_long_name_leaves_room_for_the_picture() -> None:
    model = TimelineModel()
    model.add(Sample(0.0, (Pod("a" * 253, "v" * 128),), Status()))
    figure, _ = stills.timeline(model, "Pods")
    (label,) = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert len(label) <= 28


def test_the_deltas_of_a_rollout_make_its_frame() -> None:
    clock = [0.0]
    feed = PlayedRollout(updated(12), clock=lambda: clock[0])
    model = TimelineModel()
    page: dict[int, list[Any]] = {}
    marks: list[Any] = []
    model.read(feed)
    for number, *_, since, changes in model.frame()["bars"]:
        page[number] = page.get(number, [])[:since] + changes
    while feed.running:
        clock[0] += 0.1
        model.read(feed)
        delta = model.changes(clock[0]).get("delta")
        if delta:
            marks += delta["marks"]
            for number, *_, since, changes in delta["bars"]:
                page[number] = page.get(number, [])[:since] + changes
    frame = model.frame()
    assert page == {bar[0]: bar[-1] for bar in frame["bars"]}
    assert [list(mark) for mark in marks] == frame["marks"]


def test_a_feed_that_sees_nothing_says_so() -> None:
    model = TimelineModel()
    feed = PlayedRollout(clock=lambda: 1.0)
    model.read(feed)
    feed.trouble = "no Kubernetes API answers"
    model.read(feed)
    assert model.changes(1)["text"] == "not seeing the cluster: no Kubernetes API answers"


# -- the strategy


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


# -- views, and what goes over the wire


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


def test_an_update_takes_the_kernel_less_than_ten_milliseconds() -> None:
    model = TrafficModel()
    clock = [0.0]
    run = PlayedRun(seconds=20, clock=lambda: clock[0])
    batches = [run_batches(run, i) for i in range(200)]
    took = []
    for number, batch in enumerate(batches):
        began = time.process_time()
        model.add([batch])
        model.changes(number / 10)
        if number % 20 == 0:
            model.frame()
        took.append(time.process_time() - began)
    # Processor time, not the clock: this machine has neighbours.
    assert sorted(took)[int(len(took) * 0.95)] < 0.010


def run_batches(run: PlayedRun, number: int) -> Batch:
    return Batch(
        number / 10, tuple(run.answer(number * 50 + i, number / 10 + i / 500) for i in range(50))
    )


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
