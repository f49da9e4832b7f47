"""course.views.layer_plots: what is drawn comes from the layers and from the build."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.measure import builds
from course.measure.builds import Build, Step
from course.measure.layers import Piece
from course.views.build_plots import plot_build_times, plot_cached_steps
from course.views.layer_plots import _columns, plot_layers, plot_stages


def test_the_picture_tells_each_image_in_words_too() -> None:
    layers = [Piece("Debian's files", 200_000_000, True), Piece("RUN npm ci", 100_000_000, False)]
    shown = plot_layers([("one", layers), ("two", layers[:1])], title="less", guess=250)
    assert "one: 300 MB, 200 of it from the base; two: 200 MB" in shown.markup
    assert "RUN npm ci" in shown.text and "100.00" in shown.text


@pytest.mark.parametrize("text", ["RUN echo $A_{ && echo $B^", "RUN a=$(id) b=$(pwd)"])
def test_a_shells_variables_in_a_picture_are_no_formula(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(_: object, formula: str, *more: object) -> None:
        raise AssertionError(f"{formula} was taken for a formula")

    monkeypatch.setattr("matplotlib.mathtext.MathTextParser.parse", parse)
    one = Build((step("", 1, "FROM node:24-slim"), step("", 2, text, on="FROM node:24-slim")), 2.0)
    for shown in (
        plot_build_times([(text, one)], title=text),
        plot_cached_steps([(text, one)], changed=text, title=text),
        plot_stages(one, title=text),
        plot_layers([(text, [Piece(text, 1_000_000, False)])], title=text),
    ):
        assert text in shown.text


def step(stage: str, number: int, text: str, on: str = "", takes: str = "") -> Step:
    sources = (takes,) if takes else ()
    return Step(stage, number, text, False, 0.0, 1.0, digest=text, parent=on, sources=sources)


def test_a_step_that_stages_share_stands_in_each_of_them() -> None:
    base, both = "FROM docker.io/library/node:24-slim@sha256:" + "0" * 64, "COPY package*.json ./"
    build = Build(
        (
            step("packages", 3, "RUN npm ci --omit=dev", on=both),
            step("stage-2", 2, "COPY package.json ./", on=base),
            step(
                *("stage-2", 3, "COPY --from=packages /a ./", "COPY package.json ./"),
                takes="RUN npm ci --omit=dev",
            ),
            step(
                *("stage-2", 4, "COPY --from=build /b ./", "COPY --from=packages /a ./"),
                takes="RUN npm ci",
            ),
            step("build", 2, both, on=base),
            step("build", 3, "RUN npm ci", on=both),
            step("", 1, base),
        ),
        1.0,
    )
    rows = [line.split(maxsplit=1) for line in plot_stages(build, title="t").text.splitlines()[1:]]
    by_stage: dict[str, list[str]] = {}
    for stage, rest in rows:
        by_stage.setdefault(stage, []).append(" ".join(rest.split()))
    assert by_stage["packages"] == [
        "FROM node:24-slim left behind",
        "COPY package*.json ./ left behind",
        "RUN npm ci --omit=dev left behind",
    ]
    assert by_stage["stage-2"][0] == "FROM node:24-slim in the image"
    assert by_stage["stage-2"][-1] == "COPY --from=build /b ./ in the image"
    assert list(by_stage)[-1] == "stage-2"


REAL = Path(__file__).parents[1] / "builds"


def columns(name: str) -> dict[str, bool]:
    """Stage → whether it is the image, of a real build."""
    return {c.name: c.is_image for c in _columns(builds.read(REAL / f"{name}.jsonl"))}


@pytest.mark.parametrize(
    ("name", "image"),
    [
        # FROM … AS Build; COPY --from=Build, --from=0 and --from of a stage on a stage.
        ("named", {"stage-2"}),
        # COPY --link, --from by number, RUN --mount=type=bind,from=other.
        ("linked", {"stage-3"}),
        ("platforms", {"stage-1 linux/amd64", "stage-1 linux/arm64"}),
    ],
)
def test_the_last_stage_is_the_one_that_nothing_is_made_from(name: str, image: set[str]) -> None:
    found = columns(name)
    assert {stage for stage, is_image in found.items() if is_image} == image
    assert len(found) > len(image)
    assert "in the image" in plot_stages(builds.read(REAL / f"{name}.jsonl"), title="t").text


def test_an_image_on_nothing_has_no_step_of_what_it_takes_from() -> None:
    build = Build(
        (
            step("build", 1, "FROM node:24-slim"),
            step("build", 2, "RUN make", on="FROM node:24-slim"),
            step("stage-1", 1, "COPY --from=build /f /f", takes="RUN make"),
        ),
        1.0,
    )
    *_, last = _columns(build)
    assert last.is_image and [s.short for s in last.steps] == ["COPY --from=build /f /f"]
