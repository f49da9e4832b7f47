"""Pictures of images: bars cut into layers on one scale, and which steps reach an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from course.core.text import cut
from course.measure.builds import Build, Step
from course.measure.layers import Piece
from course.views.pictures import picture
from course.views.plot_style import COLORS, box, mark_guess, new_figure
from course.views.shown import Shown

_BASE = "#c8c8c8"
_TAKEN = COLORS[2]
_NARROW = 0.07


def plot_layers(
    images: Sequence[tuple[str, Sequence[Piece]]], *, title: str, guess: float | None = None
) -> Shown:
    """Images as bars cut into their layers, all on one scale; grey is what the base brings.

    Args:
        images: name and layers.
        title: the finding, computed from the same layers.
        guess: the predicted size of the last one, in MB.

    Returns:
        The picture, and each layer with its MB as a table.
    """
    figure, (axes,) = new_figure(10, 0.95 * len(images) + 1.2, title, sides=("bottom",))
    width = max(sum(p.size for p in layers) for _, layers in images) / 1e6
    for row, (_, layers) in enumerate(images):
        y = len(images) - 1 - row
        left = 0.0
        for piece in layers:
            mb = piece.size / 1e6
            color = _BASE if piece.base else COLORS[1]
            axes.barh(y, mb, left=left, height=0.56, color=color, edgecolor="white")
            if mb > _NARROW * width:
                text = cut(piece.by, int(88 * mb / width))
                axes.text(
                    left + mb / 2, y, f"{text}\n{mb:.0f} MB", ha="center", va="center", fontsize=8
                )
            left += mb
        axes.text(left, y, f" {left:.0f} MB", va="center", fontsize=9, weight="bold")
    if guess is not None:
        mark_guess(axes, guess, "MB", 0)
    axes.set_yticks(range(len(images)), [name for name, _ in reversed(images)])
    axes.set_ylim(-0.75, len(images) - 0.5)
    axes.set_xlim(0, 1.08 * max(width, guess or 0))
    axes.set_xlabel("size of the layers on disk, MB   (grey: from the base image)")
    rows = [
        (name, "base" if p.base else "own", cut(p.by, 60), f"{p.size / 1e6:.2f}")
        for name, layers in images
        for p in layers
    ]
    alt = "; ".join(
        f"{name}: {sum(p.size for p in layers) / 1e6:.0f} MB,"
        f" {sum(p.size for p in layers if p.base) / 1e6:.0f} of it from the base"
        for name, layers in images
    )
    return picture(
        figure, alt=f"{title}. {alt}.", header=("image", "from", "layer", "MB"), rows=rows
    )


def plot_stages(build: Build, *, title: str) -> Shown:
    """The stages of a build side by side: filled is what is in the image, hollow what is not.

    Args:
        build: of a Dockerfile with stages; the last one makes the image.
        title: the finding, computed from the same build.

    Returns:
        The picture, and each step with its stage as a table.
    """
    columns = _columns(build)
    longest = max(len(column.steps) for column in columns)
    figure, (axes,) = new_figure(3.6 * len(columns), 0.5 * longest + 1.0, title, sides=())
    made_by = {step.digest: x for x, column in enumerate(columns) for step in column.own}
    for x, column in enumerate(columns):
        image = f"the last stage: the image {column.platform}".rstrip()
        head = image if column.is_image else f"stage {column.name}"
        axes.text(1.4 * x + 0.5, 0.75, head, ha="center", fontsize=10, weight="bold")
        for row, step in enumerate(column.steps):
            color = _BASE if step.key == "FROM" else _TAKEN if step.takes else COLORS[1]
            look = {"facecolor": color if column.is_image else "white", "edgecolor": color}
            box(axes, (1.4 * x, -row), 0.5, step.short, fontsize=7, **look)
            for source in sorted({made_by[d] for d in step.sources if d in made_by} - {x}):
                lowest = len(columns[source].steps) - 1
                axes.annotate(
                    "",
                    (1.4 * x, 0.25 - row),
                    (1.4 * source + 1.0, 0.25 - lowest),
                    arrowprops={"arrowstyle": "->", "color": _TAKEN, "lw": 1.6},
                    zorder=1,
                )
    axes.set_xlim(-0.1, 1.4 * (len(columns) - 1) + 1.1)
    axes.set_ylim(-longest + 0.9, 1.1)
    rows = [
        (column.name, step.short, "in the image" if column.is_image else "left behind")
        for column in columns
        for step in column.steps
    ]
    images = [column for column in columns if column.is_image]
    taken = [s.short for column in images for s in column.steps if s.takes]
    alt = f"{len(columns) - len(images)} stages beside the last; it takes over: {'; '.join(taken)}"
    return picture(figure, alt=f"{title}. {alt}.", header=("stage", "step", ""), rows=rows)


@dataclass(frozen=True)
class _Column:
    """A stage: its name, its platform in a build for several, and its steps from the base on.

    `own` are those that the stage has by itself: of a stage on another one not the other's.
    """

    name: str
    platform: str
    steps: list[Step]
    own: list[Step]
    is_image: bool


def _columns(build: Build) -> list[_Column]:
    """Stage by stage, what makes the image last, each with all of its steps.

    The builder does a step that stages have in common once, and tells it of one of them or of
    none; here it stands in each.
    """
    by_digest = {step.digest: step for step in build.steps if step.digest}
    by_number = sorted(build.steps, key=lambda step: step.number)
    tops = {(step.platform, step.stage): step for step in by_number}
    if len(tops) > 1:
        tops = {key: step for key, step in tops.items() if key[1]} or tops
    # An image is what nothing else is made from: neither stands on it, nor takes from it.
    used = {digest for step in build.steps for digest in (step.parent, *step.sources)}
    columns = []
    for (platform, stage), top in tops.items():
        steps: list[Step] = []
        at: Step | None = top
        while at is not None:
            steps.insert(0, at)
            at = by_digest.get(at.parent)
        own = [step for step in steps if (step.platform, step.stage) == (platform, stage)]
        name = f"{stage} {platform}".strip()
        columns.append(_Column(name, platform, steps, own, top.digest not in used))
    return sorted(columns, key=lambda column: column.is_image)
