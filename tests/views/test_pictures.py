"""course.views.pictures: a picture carries its text and its table."""

from __future__ import annotations

from course.views import pictures


def test_a_picture_carries_its_text_and_its_table() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.bar(["a"], [1])
    shown = pictures.picture(figure, alt="one <bar>", header=("x", "s"), rows=[("a", 1)])
    assert repr(shown) == "x  s\na  1"
    assert "alt='one &lt;bar&gt;'" in shown.markup and "<td>a</td>" in shown.markup
    assert plt.get_fignums() == []
