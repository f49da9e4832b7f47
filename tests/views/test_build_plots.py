"""course.views.build_plots: pictures of builds say what the builds did."""

from __future__ import annotations

from course.measure.builds import Build, Step
from course.views import build_plots


def step(number: int, text: str, started: float, seconds: float, cached: bool = False) -> Step:
    return Step("", number, text, cached, started, seconds)


FIRST = Build((step(1, "COPY a ./", 0, 0.1), step(2, "RUN npm ci", 0.1, 9.0)), 10.0)
AGAIN = Build((step(1, "COPY a ./", 0, 0, True), step(2, "RUN npm ci", 0, 0, True)), 0.5)
BESIDE = Build((step(1, "RUN a", 0, 2.0), step(2, "RUN b", 1.0, 2.0)), 3.0)


def test_a_cached_step_is_as_long_as_it_took_when_it_ran() -> None:
    kept = build_plots._kept([FIRST, AGAIN])
    assert kept[0] == []
    assert [seconds for _, seconds in kept[1]] == [0.1, 9.0]


def test_steps_that_ran_side_by_side_have_lanes_of_their_own() -> None:
    assert [len(lane) for lane in build_plots._lanes(BESIDE.ran)] == [1, 1]
    assert [len(lane) for lane in build_plots._lanes(FIRST.ran)] == [2]


def test_the_picture_tells_the_same_in_words() -> None:
    shown = build_plots.plot_build_times(
        [("first", FIRST), ("again", AGAIN)], title="It is kept", guess=(1, 3)
    )
    text = repr(shown)
    assert "RUN npm ci" in text and "kept" in text and "9.0" in text
    assert "It is kept. first: 10.0 s, 2 steps done again" in shown.markup
    shown = build_plots.plot_cached_steps(
        [("first", FIRST), ("again", AGAIN)], changed="a", title="t"
    )
    assert "again: done again are none" in shown.markup
    assert "done again" in repr(shown)
