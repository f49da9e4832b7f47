"""course.views.plot_style: every figure has the same look."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pytest

from course.views.plot_style import box, filled, legend, mark_guess, new_figure


def lines(axes: Any) -> set[str]:
    return {side for side, line in axes.spines.items() if line.get_visible()}


def test_the_title_is_at_the_left_above_the_first_of_the_axes() -> None:
    figure, (above, below) = new_figure(8, 3, "It is kept", rows=(2, 1), pad=20)
    assert (above.get_title("left"), below.get_title("left")) == ("It is kept", "")
    assert tuple(figure.get_size_inches()) == (8, 3)
    above.set_xlim(0, 7)
    assert below.get_xlim() == (0, 7)
    assert above.get_position().height == pytest.approx(2 * below.get_position().height)


def test_axes_have_lines_at_the_sides_that_are_asked_for_and_else_nothing() -> None:
    _, (usual,) = new_figure(8, 3, "t")
    _, (bars,) = new_figure(8, 3, "t", sides=("bottom",))
    _, (bare,) = new_figure(8, 3, "t", sides=())
    assert (lines(usual), lines(bars), lines(bare)) == ({"left", "bottom"}, {"bottom"}, set())
    assert (usual.axison, bare.axison) == (True, False)


def test_a_figure_is_not_kept_open() -> None:
    before = plt.get_fignums()
    new_figure(8, 3, "t")
    assert plt.get_fignums() == before


def test_a_legend_names_the_marks_that_have_a_label_or_those_that_are_given() -> None:
    _, (axes,) = new_figure(8, 3, "t")
    first = axes.bar([0], [1], label="one", **filled("black", "xx"))
    axes.bar([1], [1], label="two")
    legend(axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]
    legend(axes, [first], below=0.4)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one"]
    assert first[0].get_hatch() == "xx"


def test_a_guess_is_marked_in_its_unit_across_its_bar() -> None:
    _, (axes,) = new_figure(8, 3, "t")
    mark_guess(axes, 2.5, "s", row=1)
    (line,), (said,) = axes.lines, axes.texts
    assert list(line.get_xdata()) == [2.5, 2.5]
    assert min(line.get_ydata()) < 1 < max(line.get_ydata())
    assert said.get_text() == "your guess: 2.5 s"


def test_a_box_cuts_a_text_that_is_longer_than_it() -> None:
    _, (axes,) = new_figure(8, 3, "t")
    box(axes, (1.0, 2.0), 0.5, "RUN " + "a" * 99, facecolor="white", edgecolor="black", fontsize=9)
    (said,), (drawn,) = axes.texts, axes.patches
    assert (len(said.get_text()), said.get_position()) == (36, (1.5, 2.25))
    assert (drawn.get_xy(), drawn.get_width(), drawn.get_height()) == ((1.0, 2.0), 1.0, 0.5)
