"""course.dev.schedule: what one run of the tests proves, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import groupby

import pytest

from course.dev import proving, schedule
from course.dev.schedule import Budget, Planned, Reason
from course.dev.things import Kind, Thing

STEMS = ("01-a", "02-b", "03-c")


def of(stem: str) -> list[Thing]:
    answers = [
        Thing(Kind.ANSWER, f"{stem}-1: {name}", stem, f"bank::x[{stem}-{name}]", proves)
        for name, proves in (("right", True), ("wrong", True), ("other", False))
    ]
    return [
        Thing(Kind.SOLUTION, stem, stem, f"solutions/{stem}.ipynb"),
        *answers,
        Thing(Kind.LESSON, stem, stem, f"notebooks/{stem}.ipynb"),
        Thing(Kind.LAB, stem, stem, f"bank::lab[{stem}]"),
    ]


THINGS = [
    *(thing for stem in STEMS for thing in of(stem)),
    Thing(Kind.CLUSTER, "tests/cluster/test_x.py", node="tests/cluster/test_x.py"),
    Thing(Kind.BROWSER, "tests/browser/test_y.py", node="tests/browser/test_y.py"),
]
PRINTS = {thing: f"{thing.kind}/{thing.name}" for thing in THINGS}
EVERY = frozenset(PRINTS.values())
PROVING = frozenset(PRINTS[thing] for thing in THINGS if thing.proves)


def plan(
    committed: Collection[str] = (),
    cached: Collection[str] = (),
    *,
    ci: bool = False,
    commit: str = "0",
    seconds: Mapping[Thing, float] | None = None,
) -> list[Planned]:
    took = seconds or dict.fromkeys(THINGS, 60.0)
    return schedule.plan(THINGS, PRINTS, committed, cached, ci=ci, commit=commit, seconds=took)


def reasons(queue: list[Planned]) -> set[Reason]:
    return {planned.reason for planned in queue}


def without(stem: str) -> set[str]:
    return {PRINTS[thing] for thing in THINGS if thing.stem != stem}


def test_a_machine_that_has_proven_everything_itself_has_nothing_to_do() -> None:
    assert plan(PROVING, PROVING) == []
    assert plan((), PROVING) == []


def test_after_a_change_to_one_lesson_only_that_lesson_is_run() -> None:
    queue = plan(PROVING, without("02-b"), commit="5")
    assert {p.thing.stem for p in queue if p.reason is Reason.CHANGED} == set()
    queue = plan(without("02-b"), without("02-b"))
    assert [p.thing.kind for p in queue] == [
        Kind.SOLUTION,
        Kind.LESSON,
        Kind.ANSWER,
        Kind.ANSWER,
        Kind.LAB,
    ]
    assert {p.thing.stem for p in queue} == {"02-b"}
    assert reasons(queue) == {Reason.CHANGED}


def test_what_others_have_proven_is_run_after_what_changed_on_a_new_machine() -> None:
    queue = plan(without("02-b"))
    changed = [p for p in queue if p.reason is Reason.CHANGED]
    rest = [p for p in queue if p.reason is Reason.ELSEWHERE]
    others = [p for p in queue if p.reason is Reason.OTHER]
    assert queue == [*changed, *rest, *others]
    assert {p.thing.stem for p in changed} == {"02-b"}
    assert [p.thing.kind for p in rest[:2]] == [Kind.SOLUTION, Kind.SOLUTION]
    assert Kind.SOLUTION not in {p.thing.kind for p in rest[2:]}
    assert len(others) == 3 and not any(p.thing.proves for p in others)
    assert {p.thing for p in queue} == set(THINGS)


def test_ci_runs_also_what_its_own_cache_has_proven() -> None:
    assert {p.thing for p in plan(PROVING, EVERY, ci=True)} == set(THINGS)
    assert reasons(plan(PROVING, EVERY, ci=True)) == {Reason.ELSEWHERE, Reason.OTHER}


def test_without_any_proof_all_has_changed() -> None:
    queue = plan()
    assert reasons(queue) == {Reason.CHANGED}
    assert {p.thing for p in queue} == {thing for thing in THINGS if thing.proves}
    assert reasons(plan(ci=True)) == {Reason.CHANGED, Reason.OTHER}


def test_every_solution_is_run_before_any_other_changed_thing() -> None:
    solutions = [p.thing.kind is Kind.SOLUTION for p in plan()]
    assert any(solutions)
    assert solutions == sorted(solutions, reverse=True)


def test_kinds_of_one_lane_are_run_side_by_side() -> None:
    lanes = [lane for lane, _ in groupby(schedule.ORDER, proving.LANES.__getitem__)]
    assert len(lanes) == len(set(proving.LANES.values()))


@pytest.mark.parametrize("ci", [True, False])
def test_another_commit_begins_at_another_thing_and_leaves_none_out(ci: bool) -> None:
    orders = [[p.thing for p in plan(PROVING, ci=ci, commit=hash_)] for hash_ in "0123"]
    assert len({order[0] for order in orders}) == 3
    assert len({order[3] for order in orders}) == 4
    for order in orders:
        assert sorted(map(str, order)) == sorted(map(str, THINGS))


def test_a_commit_that_is_not_known_turns_nothing() -> None:
    things = THINGS[:3]
    assert schedule.rotated(things, "") == schedule.rotated(things, "not a hash") == things
    assert schedule.rotated([], "abc") == []


def test_nothing_is_begun_that_would_not_end_in_time() -> None:
    budget = Budget(begin=3600, end=4800, factor=1.5)
    long = Planned(THINGS[0], Reason.CHANGED, 1000)
    assert budget.fits(long, 3300) and not budget.fits(long, 3301)
    rest = Planned(THINGS[0], Reason.ELSEWHERE, 10)
    assert budget.fits(rest, 3600) and not budget.fits(rest, 3601)
    assert budget.fits(Planned(THINGS[0], Reason.CHANGED, 10), 4700)
    assert budget.fits(Planned(THINGS[0], Reason.ASKED, 9999), 4700)


def test_a_short_thing_is_begun_where_a_long_one_no_longer_is() -> None:
    seconds = dict.fromkeys(THINGS, 60.0) | {THINGS[0]: 3000.0}
    queue = plan(seconds=seconds)
    begun = schedule.expected(queue, Budget(), 1000.0)
    assert THINGS[0] not in {p.thing for p in begun} and len(begun) == len(queue) - 1
    elapsed = 1000.0
    for planned in begun:
        assert elapsed + planned.seconds * Budget().factor <= Budget().end
        elapsed += planned.seconds


def test_a_lesson_is_proven_anew_with_its_notebooks_twice_and_all_its_answers() -> None:
    queue = schedule.all_again(of("01-a"), dict.fromkeys(THINGS, 1.0))
    kinds = [p.thing.kind for p in queue]
    assert kinds == [
        *(Kind.SOLUTION, Kind.LESSON),
        *(Kind.ANSWER, Kind.ANSWER, Kind.ANSWER, Kind.LAB),
        *(Kind.SOLUTION, Kind.LESSON),
    ]
    assert reasons(queue) == {Reason.ASKED}


def test_now_earlier_and_unproven_make_all() -> None:
    now, earlier = {THINGS[0], THINGS[3]}, {THINGS[0], THINGS[1], THINGS[-1]}
    rows = {row.name: row for row in schedule.table(THINGS, now, earlier)}
    for kind in Kind:
        there = sum(thing.kind is kind and thing.proves for thing in THINGS)
        assert rows[kind].now + rows[kind].earlier + rows[kind].unproven == there == rows[kind].all
    whole = rows["all"]
    assert (whole.now, whole.earlier, whole.all) == (1, 2, sum(t.proves for t in THINGS))
    assert (rows["other answers"].now, rows["other answers"].all) == (1, 3)
