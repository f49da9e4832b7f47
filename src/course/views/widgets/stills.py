"""The views as still pictures: what a saved notebook keeps.

Figures are made without pyplot, since a view draws its own in its thread. Each function gives the
figure and its alternative text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course.core.text import cut
from course.views import plot_style
from course.views.plot_style import HATCHES, filled, legend, new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from course.views.widgets.answers import TrafficModel
    from course.views.widgets.pods import Bar, TimelineModel

_MARKERS = (("d", "answered with an error"), ("x", "no answer"), ("^", "timed out"))


def traffic(model: TrafficModel, title: str) -> tuple[Any, str]:
    """Requests a second by version against time, and where they failed."""
    finding = f"{model.total:,} requests, {model.failed.total():,} failed"
    figure, (axes,) = new_figure(8, 3.0, f"{title}: {finding}")
    width = model.width
    starts = [i * width for i in range(len(model.columns))]
    below = [0.0] * len(starts)
    for number, name in enumerate(model.versions):
        counts = [
            (column[3 + number] if len(column) > 3 + number else 0) / width
            for column in model.columns
        ]
        look = filled(*_look(number)) | {"label": name}
        axes.bar(starts, counts, width, below, align="edge", **look)
        below = [low + count for low, count in zip(below, counts, strict=True)]
    top = max(below, default=0.0) or 1.0
    for kind, (marker, name) in enumerate(_MARKERS):
        at = [start for start, column in zip(starts, model.columns, strict=True) if column[kind]]
        if at:
            axes.plot(at, [top * (1.08 + 0.08 * kind)] * len(at), marker, color="black", label=name)
    axes.set(xlabel="seconds", ylabel="answers a second", ylim=(0, top * 1.35))
    parts = []
    for number, name in enumerate(model.versions, 1):
        share, low, high = model.share(number)
        parts.append(f"{name} {share:.1f} % ({low:.1f} to {high:.1f})")
    legend(axes)
    last = f"; of the last answers {', '.join(parts)}" if parts else ""
    return figure, f"{title}: {finding}{last}."


def timeline(model: TimelineModel, title: str) -> tuple[Any, str]:
    """Each pod as a bar: hollow while it is not ready, filled while it is."""
    from matplotlib.patches import Patch

    from course.views.widgets.pods import CANNOT_START

    bars, finding = model.bars, model.text()
    height = 1.3 + 0.26 * max(len(bars), 3)
    figure, (axes,) = new_figure(8, height, f"{title}: {finding}", pad=42)
    end = max(model.now, 1.0)
    looks = [_look(number) for number in range(len(model.versions))]
    pod_bars(axes, bars, looks, end)
    for row, bar in enumerate(bars):
        if bar.state == CANNOT_START:
            axes.annotate(f" {bar.phase}", (end, row), va="center", fontsize=8)
    names = [cut(f"{_tail(bar.name)}  {model.versions[bar.version - 1]}", 28) for bar in bars]
    axes.set_yticks(range(len(bars)), names, fontsize=8)
    axes.set(xlabel="seconds", xlim=(0, end), ylim=(len(bars) - 0.4, -0.6))
    lines = [0.0] * 3  # where the labels of each line end
    for at, what in model.marks:
        line = next((i for i, taken in enumerate(lines) if taken <= at), 0)
        lines[line] = at + end * (0.02 + 0.014 * len(what))
        axes.axvline(at, color="black", linewidth=0.8, linestyle="--")
        place = {"textcoords": "offset points", "xytext": (2, 3 + 11 * line), "fontsize": 8}
        axes.annotate(what, (at, 1), xycoords=axes.get_xaxis_transform(), **place)
    handles = [
        Patch(label=name, **filled(*look)) for name, look in zip(model.versions, looks, strict=True)
    ]
    unready = "not ready, or (thin) terminating"
    handles.append(Patch(label=unready, facecolor="white", edgecolor="black"))
    legend(axes, handles)
    happened = "; ".join(f"{what} at {at:.1f} s" for at, what in model.marks)
    return figure, f"{title}: {finding}." + (f" {happened}." if happened else "")


def pod_bars(
    axes: Any,
    bars: Sequence[Bar],
    looks: Sequence[tuple[str, str]],
    end: float,
    zero: float = 0.0,
) -> None:
    """Draw each pod's life in a row of its own.

    Args:
        axes: the axes.
        bars: the pods.
        looks: colour and hatch of each version.
        end: where the axes end, in seconds from `zero`.
        zero: where they begin, in the bars' seconds.
    """
    from course.views.widgets.pods import CANNOT_START, ENDING, GONE, READY

    for row, bar in enumerate(bars):
        color, hatch = looks[bar.version - 1]
        ends = [at for at, _ in bar.changes[1:]] + [end + zero]
        for (at, state), until in zip(bar.changes, ends, strict=True):
            if state == GONE:
                continue
            hollow = {"facecolor": "white", "edgecolor": color, "linewidth": 1.5}
            axes.barh(
                row,
                until - at,
                0.3 if state == ENDING else 0.72,
                at - zero,
                linestyle=":" if state == CANNOT_START else "-",
                **(filled(color, hatch) if state == READY else hollow),
            )


def _look(number: int) -> tuple[str, str]:
    """Colour and hatch of a version."""
    return plot_style.COLORS[number % len(plot_style.COLORS)], HATCHES[number % len(HATCHES)]


def _tail(name: str) -> str:
    """What tells the pods of one Deployment apart."""
    return "-".join(name.split("-")[-2:])
