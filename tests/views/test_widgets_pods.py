"""course.views.widgets.pods: a pod is a bar, with its states."""

from __future__ import annotations

from typing import Any

import pytest

from course.views.widgets import stills
from course.views.widgets.pods import GONE, READY, STATES, TimelineModel
from tests.feeds import PlayedRollout, Pod, Sample, Status, stalled
from tests.feeds import update as updated


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
