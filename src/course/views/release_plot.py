"""A release as a picture and a sentence: requests, failures and pods against time."""

from __future__ import annotations

from collections import Counter
from typing import Any

from course.core.text import cut
from course.measure.release import (
    NO_READY_ENDPOINT,
    POD_ERROR,
    POD_LOST,
    POD_STARTING,
    TIMED_OUT,
    ReleaseRecord,
    merge_feeds,
)
from course.measure.rollout import Feed
from course.measure.traffic import Run
from course.views.pictures import Picture, picture
from course.views.plot_style import COLORS, filled, legend, new_figure

_SLOT = 0.25


def release_picture(run: Run, feed: Feed, what: str) -> Picture:
    """The pods and the failed requests of a change on one axis of time.

    Args:
        run: the traffic.
        feed: the pods.
        what: what was changed, for the title.
    """
    from course.views.widgets.pods import TimelineModel

    seen = merge_feeds(run, feed)
    model = TimelineModel()
    for sample in seen.samples:
        model.add(sample)
    said = finding(seen)
    figure, (above, below) = new_figure(
        9,
        1.9 + 0.24 * len(model.bars) + 1.3,
        f"{what}: {said}",
        rows=(max(3, len(model.bars)) * 0.24, 1.3),
        pad=20,
        wrap=True,
    )
    end = max(seen.summary.seconds, model.now - seen.zero)
    _draw_pods(above, model, seen.zero, end)
    colors = {
        POD_STARTING: (COLORS[5], "////"),
        POD_ERROR: (COLORS[4], "\\\\\\\\"),
        NO_READY_ENDPOINT: (COLORS[2], "xx"),
        POD_LOST: (COLORS[3], ""),
        TIMED_OUT: (COLORS[6], ".."),
    }
    slots = [round(i * _SLOT, 2) for i in range(int(end / _SLOT) + 1)]
    bottom = [0] * len(slots)
    counts = {reason: len(seen.failures_by(reason)) for reason in colors}
    for reason, (color, hatch) in colors.items():
        if not counts[reason]:
            continue
        at = Counter(int(failure.at / _SLOT) for failure in seen.failures_by(reason))
        heights = [at.get(i, 0) for i in range(len(slots))]
        look = filled(color, hatch) | {"label": f"{counts[reason]:,} {reason}"}
        below.bar(slots, heights, _SLOT, bottom, align="edge", **look)
        bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
    below.set(
        xlabel="seconds",
        ylabel=f"failed in {_SLOT:g} s",
        xlim=(0, end),
        ylim=(0, max(4, max(bottom) * 1.15)),
    )
    if seen.failures:
        legend(below, below=0.42)
    else:
        below.text(0.5, 0.5, "no request failed", transform=below.transAxes, ha="center")
        below.set_yticks([0])
    rows: list[tuple[str, object]] = [("requests planned", f"{seen.summary.planned:,}")]
    rows += [(reason, f"{count:,}") for reason, count in counts.items()]
    rows += [("answered by " + v, f"{n:,}") for v, n in seen.summary.by_version.items()]
    rows += [
        ("most pods, those leaving left aside", seen.peak_pods),
        ("fewest ready pods", seen.fewest_ready),
        ("blind, in all", f"{seen.summary.blind_ms:.0f} ms"),
    ]
    return picture(figure, alt=f"{what}: {said}.", header=("what", "count"), rows=rows)


def finding(seen: ReleaseRecord) -> str:
    """What a change did to the traffic, in a few words."""
    failed, planned = len(seen.failures), seen.summary.planned
    if not failed:
        return seen.summary.verdict
    reason, count = Counter(f.category for f in seen.failures).most_common(1)[0]
    most = "all" if count == failed else f"{count:,}"
    return f"{failed:,} of {planned:,} failed, {most} {reason}"


def _draw_pods(axes: Any, model: Any, zero: float, end: float) -> None:
    """Each pod as a bar: hollow while it is not ready, thin on its way out."""
    from course.views.widgets.pods import GONE
    from course.views.widgets.stills import pod_bars

    bars = [bar for bar in model.bars if bar.state != GONE or bar.changes[-1][0] > zero]
    # The first two colours, as in the live views; failures have the others.
    colors = {name: COLORS[i % 2] for i, name in enumerate(sorted(model.versions))}
    pod_bars(axes, bars, [(colors[name], "") for name in model.versions], end, zero)
    names = [
        f"{cut(bar.name.rsplit('-', 1)[-1], 20)} {cut(model.versions[bar.version - 1], 30)}"
        for bar in bars
    ]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.text(
        1.0,
        1.02,
        "filled: ready, hollow: not ready, thin: on its way out",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        fontsize=8,
    )
