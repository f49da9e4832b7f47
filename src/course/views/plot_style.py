"""One style for the course's figures: what a picture shows is its own, how it looks is here.

Figures are made without pyplot, which keeps them open and is not for threads; a live view draws
in one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course.core.text import cut

HATCHES = ("", "....", "////", "xx")
"""Beside the colours, for a colour never stands alone; as the glyphs of the live views."""
_SMALL = 8


def load() -> None:
    """Load what figures are drawn with, before threads draw them.

    Of a library that two threads load at once, one may see half.
    """
    import matplotlib.figure  # noqa: F401


def new_figure(
    width: float,
    height: float,
    title: str,
    *,
    sides: Sequence[str] = ("left", "bottom"),
    rows: Sequence[float] = (1.0,),
    **look: Any,
) -> tuple[Any, list[Any]]:
    """A figure with its title above the left end of its axes.

    Args:
        width: in inches, as `height`; at `pictures.drawn`'s 110 dots an inch.
        height: see `width`.
        title: the finding.
        sides: the sides of the axes that have a line; without any there are no ticks either.
        rows: the heights of axes below each other, in proportion; they share what is across.
        look: more for the title, as matplotlib's `set_title` takes it.

    Returns:
        The figure and the axes of each row.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    every = figure.subplots(len(rows), sharex=True, squeeze=False, height_ratios=rows)[:, 0]
    for axes in every:
        if not sides:
            axes.axis("off")
        for side, line in axes.spines.items():
            line.set_visible(side in sides)
    every[0].set_title(title, **{"fontsize": 11, "loc": "left", "pad": 10, **look})
    return figure, list(every)


def filled(color: str, hatch: str = "") -> dict[str, Any]:
    """The look of a bar or a box that is filled.

    Args:
        color: of its face.
        hatch: in white.
    """
    return {"facecolor": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}


def legend(axes: Any, handles: Sequence[Any] | None = None, *, below: float | None = None) -> None:
    """Explain the marks outside of the axes, where they hide nothing.

    Args:
        axes: the axes.
        handles: the marks; by default those with a label.
        below: how far below, as a part of the axes' height; by default to the right.
    """
    where = (
        {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        if below is None
        else {"loc": "upper center", "bbox_to_anchor": (0.5, -below)}
    )
    chosen = axes.get_legend_handles_labels()[0] if handles is None else handles
    axes.legend(handles=chosen, frameon=False, fontsize=_SMALL, **where)


def mark_guess(axes: Any, value: float, unit: str, row: int) -> None:
    """Mark what was predicted across a row of bars.

    Args:
        axes: the axes.
        value: the prediction, in `unit`.
        unit: a unit's symbol.
        row: the bar's place.
    """
    axes.plot([value] * 2, [row - 0.42, row + 0.42], color="black", linestyle="--")
    said = f"your guess: {value:g} {unit}"
    axes.annotate(said, (value, row - 0.46), fontsize=_SMALL, va="top")


def box(axes: Any, place: tuple[float, float], height: float, text: str, **look: Any) -> None:
    """Draw a box, one unit wide, with a text in it.

    Args:
        axes: the axes.
        place: the left lower corner.
        height: of the box.
        text: cut if it is long.
        look: `facecolor` and `edgecolor` of the box; `color` and `fontsize` of the text.
    """
    from matplotlib.patches import Rectangle

    edges = {key: look.pop(key) for key in ("facecolor", "edgecolor")}
    axes.add_patch(Rectangle(place, 1.0, height, linewidth=1.6, zorder=2, **edges))
    middle = place[0] + 0.5, place[1] + height / 2
    axes.text(*middle, cut(text, 36), ha="center", va="center", **look)


COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")
"""A palette that those who do not see all colours can tell apart (Okabe and Ito, 2008)."""
