"""course.views.widgets.answers: every answer of a run is in the model once."""

from __future__ import annotations

import time

import pytest

from course.views.widgets.answers import COLUMNS, OTHERS, TrafficModel, outcome
from tests.feeds import Answer, Batch, PlayedRun


def answers(*pairs: tuple[str, str], at: float = 0.0) -> Batch:
    return Batch(at, tuple(Answer(at, version=v, error=e) for v, e in pairs))


def model_of(*batches: Batch) -> TrafficModel:
    model = TrafficModel()
    model.add(batches)
    return model


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
