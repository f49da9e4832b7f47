"""course.views.release_plot: the finding is computed, and names fit."""

from __future__ import annotations

from matplotlib.figure import Figure

from course.measure import release
from course.measure.release import POD_STARTING
from course.views import release_plot as views_release
from course.views.widgets.pods import TimelineModel
from tests.releases import GOOD, Feed, Run, answers, pod, sample


def test_a_name_of_253_characters_leaves_room_for_the_picture() -> None:
    model = TimelineModel()
    model.add(sample(0.0, pod("a" * 253, "v" * 128)))
    axes = Figure().subplots()
    views_release._draw_pods(axes, model, 0.0, 1.0)
    (label,) = [tick.get_text() for tick in axes.get_yticklabels()]
    assert len(label) <= 51


def test_the_finding_is_computed_and_names_what_failed_most() -> None:
    run = Run(answers(GOOD, ("503", "1.2.0"), ("503", "1.2.0"), ("502", ""), *[GOOD] * 6))
    shown = views_release.release_picture(run, Feed([sample(0.0, pod("a"))]), "No probe")  # type: ignore[arg-type]
    assert f"3 of 10 failed, 2 {POD_STARTING}" in (shown._repr_html_() or "")
    assert "requests planned" in repr(shown)


def test_without_a_failure_the_verdict_with_its_bound_is_the_finding() -> None:
    run = Run(answers(*[GOOD] * 300))
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    assert views_release.finding(seen) == (
        "0 of 300 failed: with 95 % confidence fewer than 1 % fail"
    )


def test_a_blind_run_is_told_as_unknown_and_not_as_zero() -> None:
    run = Run(answers(*[GOOD] * 300), blind=((1.0, 0.25),))
    seen = release.merge_feeds(run, Feed([sample(0.0, pod("a"))]))  # type: ignore[arg-type]
    assert seen.blind_ms == 250
    assert views_release.finding(seen).startswith("unknown: blind for 250 ms")
