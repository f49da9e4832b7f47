"""Pictures of builds: as bars on one time scale, and as lists of steps that were kept or redone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course.core.text import cut
from course.measure.builds import Build, Step
from course.views.pictures import Picture, picture
from course.views.plot_style import COLORS, box, mark_guess, new_figure

_COLOR = {"RUN": COLORS[0], "COPY": COLORS[1], "ADD": COLORS[1]}
_OTHER = COLORS[4]
_REST = "#d9d9d9"
_NARROW = 0.08
_GAP = 0.02


def plot_build_times(
    builds: Sequence[tuple[str, Build]],
    *,
    title: str,
    guess: tuple[int, float] | None = None,
) -> Picture:
    """Builds as bars cut into their steps, all on one scale.

    Right of zero stands what a build did, step by step; grey is what is no step: reading the
    context, writing the image. Left of zero, hollow, stands what it kept: each cached step as
    long as it took when it last ran in an earlier build of the list.

    Args:
        builds: name and build, in the order in which they were made.
        title: the finding, computed from the same builds.
        guess: a predicted time, as the index of a build and seconds.

    Returns:
        The picture, and each step with its seconds as a table.
    """
    figure, (axes,) = new_figure(10, 0.75 * len(builds) + 1.5, title, sides=("bottom",))
    kept = _kept([build for _, build in builds])
    width = max(b.seconds for _, b in builds) + max(sum(s for _, s in steps) for steps in kept)
    for row, ((_, build), saved) in enumerate(zip(builds, kept, strict=True)):
        y = len(builds) - 1 - row
        _draw_kept(axes, y, saved, width)
        _draw_done(axes, y, build, width)
    if guess is not None:
        mark_guess(axes, guess[1], "s", len(builds) - 1 - guess[0])
    axes.use_sticky_edges = False
    axes.margins(x=0.02)
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(builds)), [name for name, _ in reversed(builds)])
    axes.set_ylim(-0.8, len(builds) - 0.4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_xlabel("← kept from the cache (hollow), seconds   |   done again (filled), seconds →")
    rows = [
        (name, step.short, "kept" if step.cached else "done", f"{step.seconds:.1f}")
        for name, build in builds
        for step in build.steps
        if step.key != "FROM"
    ]
    rows += [(name, "all", "", f"{build.seconds:.1f}") for name, build in builds]
    alt = "; ".join(
        f"{name}: {build.seconds:.1f} s, {len(build.ran)} steps done again"
        for name, build in builds
    )
    return picture(
        figure, alt=f"{title}. {alt}.", header=("build", "step", "", "seconds"), rows=rows
    )


def _kept(builds: Sequence[Build]) -> list[list[tuple[Step, float]]]:
    """For each build its cached steps, with the seconds that they took when they last ran."""
    cost: dict[tuple[str, str, str], float] = {}
    found = []
    for build in builds:
        saved = [
            (s, cost.get((s.platform, s.stage, s.short), 0.0)) for s in build.steps if s.cached
        ]
        found.append(saved)
        cost |= {(s.platform, s.stage, s.short): s.seconds for s in build.ran}
    return found


def _draw_kept(axes: Any, y: float, saved: list[tuple[Step, float]], width: float) -> None:
    right = 0.0
    for step, seconds in reversed(saved):
        axes.barh(
            y, -seconds, left=right, height=0.56, fill=False, edgecolor=_color(step), linewidth=1.6
        )
        _label(axes, step, (right - seconds / 2, y), seconds / width)
        right -= seconds


def _draw_done(axes: Any, y: float, build: Build, width: float) -> None:
    axes.barh(y, build.seconds, height=0.56, color=_REST)
    lanes = _lanes(build.ran)
    height = 0.56 / max(1, len(lanes))
    for number, lane in enumerate(lanes):
        at = y + 0.28 - height * (number + 0.5)
        for step in lane:
            axes.barh(
                at,
                step.seconds,
                left=step.started,
                height=height,
                color=_color(step),
                edgecolor="white",
            )
            middle = step.started + step.seconds / 2
            _label(axes, step, (middle, at), step.seconds / width)
    axes.text(build.seconds, y, f" {build.seconds:.1f} s", va="center", fontsize=9)


def _lanes(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that ran side by side, each in a lane of its own."""
    lanes: list[list[Step]] = []
    for step in sorted(steps, key=lambda s: s.started):
        for lane in lanes:
            if lane[-1].started + lane[-1].seconds <= step.started + _GAP:
                lane.append(step)
                break
        else:
            lanes.append([step])
    return lanes


def _label(axes: Any, step: Step, middle: tuple[float, float], share: float) -> None:
    """Write a step's text into its piece of a bar, if it is wide enough for some of it."""
    if share > _NARROW:
        text = cut(step.short, max(8, int(90 * share)))
        axes.text(*middle, text, ha="center", va="center", fontsize=8, color=_ink(step))


def _ink(step: Step) -> str:
    """A colour that can be read on a step's own: white on dark blue only."""
    return "white" if not step.cached and step.key == "RUN" else "black"


def _color(step: Step) -> str:
    return _COLOR.get(step.key, _OTHER)


def plot_cached_steps(builds: Sequence[tuple[str, Build]], *, changed: str, title: str) -> Picture:
    """The steps of builds as columns: hollow what was kept, filled what was done again.

    Args:
        builds: name and build; each made after the same change.
        changed: what was changed, e.g. `src/index.ts`.
        title: the finding, computed from the same builds.

    Returns:
        The picture, and the same as a table.
    """
    longest = max(len(build.steps) for _, build in builds)
    figure, (axes,) = new_figure(5 * len(builds), 0.6 * longest + 1.2, title, sides=())
    for column, (name, build) in enumerate(builds):
        x = 1.5 * column
        axes.text(x + 0.5, 0.7, name, ha="center", fontsize=10, weight="bold")
        first = next((step for step in build.ran), None)
        for row, step in enumerate(build.steps):
            color = _color(step)
            look = {"facecolor": color if step in build.ran else "white", "edgecolor": color}
            box(axes, (x, -row), 0.55, step.short, fontsize=9, color=_ink(step), **look)
            if step is first:
                axes.annotate(
                    f"{changed}\nchanged",
                    (x, 0.27 - row),
                    (x - 0.12, 0.27 - row),
                    ha="right",
                    va="center",
                    fontsize=8,
                    arrowprops={"arrowstyle": "->"},
                )
    axes.set_xlim(-0.45, 1.5 * len(builds) - 0.45)
    axes.set_ylim(-longest + 0.9, 1.1)
    rows = [
        (name, step.short, "done again" if step in build.ran else "kept")
        for name, build in builds
        for step in build.steps
    ]
    alt = "; ".join(
        f"{name}: done again are {', '.join(s.short for s in build.ran) or 'none'}"
        for name, build in builds
    )
    return picture(figure, alt=f"{title}. {alt}.", header=("build", "step", ""), rows=rows)
