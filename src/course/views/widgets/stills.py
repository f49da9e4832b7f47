"""The views as still pictures: what a saved notebook keeps.

Figures are made without pyplot, since a view draws its own in its thread. Each function gives the
figure and its alternative text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from course.core.text import cut
from course.views import pictures

if TYPE_CHECKING:
    from course.views.widgets.answers import TrafficModel
    from course.views.widgets.pods import TimelineModel

_HATCHES = ("", "....", "////", "xx")
"""By version, as the glyphs on the page: a colour never stands alone."""
_MARKERS = (("d", "answered with an error"), ("x", "no answer"), ("^", "timed out"))


def traffic(model: TrafficModel, title: str) -> tuple[Any, str]:
    """Requests a second by version against time, and where they failed."""
    figure, axes = _figure(3.0)
    width = model.width
    starts = [i * width for i in range(len(model.columns))]
    below = [0.0] * len(starts)
    for number, name in enumerate(model.versions):
        counts = [
            (column[3 + number] if len(column) > 3 + number else 0) / width
            for column in model.columns
        ]
        axes.bar(
            starts,
            counts,
            width,
            below,
            align="edge",
            label=name,
            color=_color(number),
            hatch=_HATCHES[number % len(_HATCHES)],
            edgecolor="white",
            linewidth=0,
        )
        below = [low + count for low, count in zip(below, counts, strict=True)]
    top = max(below, default=0.0) or 1.0
    for kind, (marker, name) in enumerate(_MARKERS):
        at = [start for start, column in zip(starts, model.columns, strict=True) if column[kind]]
        if at:
            axes.plot(at, [top * (1.08 + 0.08 * kind)] * len(at), marker, color="black", label=name)
    axes.set(xlabel="seconds", ylabel="answers a second", ylim=(0, top * 1.35))
    failed = model.failed.total()
    parts = []
    for number, name in enumerate(model.versions, 1):
        share, low, high = model.share(number)
        parts.append(f"{name} {share:.1f} % ({low:.1f} to {high:.1f})")
    finding = f"{model.total:,} requests, {failed:,} failed"
    axes.set_title(f"{title}: {finding}", loc="left")
    _legend(axes, axes.get_legend_handles_labels()[0])
    last = f"; of the last answers {', '.join(parts)}" if parts else ""
    return figure, f"{title}: {finding}{last}."


def timeline(model: TimelineModel, title: str) -> tuple[Any, str]:
    """Each pod as a bar: hollow while it is not ready, filled while it is."""
    from course.views.widgets.pods import ENDING, GONE, HELD, READY

    bars = model.bars
    figure, axes = _figure(1.3 + 0.26 * max(len(bars), 3))
    end = max(model.now, 1.0)
    for row, bar in enumerate(bars):
        color, hatch = _color(bar.version - 1), _HATCHES[(bar.version - 1) % len(_HATCHES)]
        ends = [at for at, _ in bar.changes[1:]] + [end]
        for (at, state), until in zip(bar.changes, ends, strict=True):
            if state == GONE:
                continue
            filled = state == READY
            axes.barh(
                row,
                until - at,
                0.3 if state == ENDING else 0.72,
                at,
                facecolor=color if filled else "white",
                hatch=hatch if filled else "",
                edgecolor="white" if filled and hatch else color,
                linestyle=":" if state == HELD else "-",
                linewidth=0 if filled else 1.5,
            )
        if bar.state == HELD:
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
    finding = model.text()
    axes.set_title(f"{title}: {finding}", loc="left", pad=42)
    handles = [
        _box(name, facecolor=_color(number), hatch=_HATCHES[number % len(_HATCHES)])
        for number, name in enumerate(model.versions)
    ]
    handles.append(_box("not ready, or (thin) terminating", facecolor="white", edgecolor="black"))
    _legend(axes, handles)
    happened = "; ".join(f"{what} at {at:.1f} s" for at, what in model.marks)
    return figure, f"{title}: {finding}." + (f" {happened}." if happened else "")


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height))
    axes = figure.subplots()
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _legend(axes: Any, handles: list[Any]) -> None:
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8
    )


def _box(name: str, **look: Any) -> Any:
    from matplotlib.patches import Patch

    return Patch(label=name, **{"edgecolor": "white", **look})


def _color(number: int) -> str:
    return pictures.COLORS[number % len(pictures.COLORS)]


def _tail(name: str) -> str:
    """What tells the pods of one Deployment apart."""
    return "-".join(name.split("-")[-2:])
