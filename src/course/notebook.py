"""What lessons and labs call: a handful of names, each of which shows itself in a notebook."""

from __future__ import annotations

import contextlib
import html
import os
import time
from dataclasses import dataclass, field
from typing import Any

from course import engines, manifest, paths, steps, workspace
from course.errors import CourseError

_PREPARE_WAIT = 3600.0


@dataclass(frozen=True)
class Shown:
    """Text, with HTML beside it for a browser."""

    text: str
    markup: str = field(default="")

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str | None:
        return self.markup or None


def setup(name: str) -> Shown:
    """Make a notebook ready: the engine's variables, the tools, the learner's folder.

    Args:
        name: the lesson's stem.

    Returns:
        What is ready and what is still being prepared.

    Raises:
        CourseError: the engine does not run, or there is no such lesson.
    """
    course = manifest.load()
    lesson = course.lesson(name)
    keep = {"COURSE_WORK"} & set(os.environ)
    os.environ.update({k: v for k, v in engines.environment().items() if k not in keep})
    paths.work().mkdir(parents=True, exist_ok=True)
    os.chdir(paths.work())
    workspace.ensure_orders()
    lines = [f"{lesson.stem}: your folder is {paths.work()}"]
    lines += [_readiness(need) for need in lesson.needs]
    return Shown("\n".join(lines))


def _readiness(need: str) -> str:
    if engines.has(need):
        return f"✓ {need}"
    progress = steps.read()
    if progress and progress.running:
        step = next((s for s in progress.steps if s.state == "running"), None)
        doing = f": {step.title}" if step else ""
        return f"… {need} is being prepared{doing}, about {progress.left / 60:.0f} min left"
    return f"✗ {need}: {engines.why_not(need)}"


def begin(id_: str) -> Shown:
    """Set an exercise's start state, once.

    Args:
        id_: the exercise.

    Raises:
        CourseError: there is no such exercise, or its start state cannot be set.
    """
    return Shown(workspace.begin(id_))


def hint(id_: str) -> Shown:
    """Show one more hint each time.

    Args:
        id_: the exercise.
    """
    text = workspace.hint(id_)
    *hints, rest = text.splitlines()
    folded = "".join(
        f"<details{' open' if i == len(hints) - 1 else ''}><summary>Hint {i + 1}</summary>"
        f"{html.escape(line.split('. ', 1)[1])}</details>"
        for i, line in enumerate(hints)
    )
    return Shown(
        text, f"<div class='course-hints'>{folded}<small>{html.escape(rest)}</small></div>"
    )


def wait_for(capability: str, wait: float = _PREPARE_WAIT) -> Shown:
    """Wait until the engine gives something, with progress.

    Args:
        capability: e.g. `cluster`.
        wait: deadline in seconds.

    Raises:
        CourseError: it does not come: nothing prepares it, that failed, or time ran out.
    """
    began = time.monotonic()
    bar = None
    while not engines.has(capability):
        progress = steps.read()
        if progress is None or not progress.running:
            why = progress.error if progress and progress.error else engines.why_not(capability)
            raise CourseError(f"`{capability}` is not there: {why}", f"`{capability}`", "course up")
        if time.monotonic() - began > wait:
            raise CourseError(
                f"waited {wait:.0f} s for `{capability}`", f"`{capability}`", "course status"
            )
        bar = bar or _Bar()
        bar.show(progress)
        time.sleep(0.5)
    if bar is not None:
        bar.close()
    with contextlib.suppress(CourseError):
        keep = {"COURSE_WORK"} & set(os.environ)
        os.environ.update({k: v for k, v in engines.environment().items() if k not in keep})
    waited = time.monotonic() - began
    return Shown(f"✓ {capability}" + (f" (waited {waited:.0f} s)" if waited > 1 else ""))


class _Bar:
    """Progress in a notebook; widgets show themselves as text where there is no front end."""

    def __init__(self) -> None:
        import ipywidgets as widgets
        from IPython.display import display

        self._bar = widgets.FloatProgress(min=0, max=1, layout=widgets.Layout(width="24em"))
        self._text = widgets.Label()
        self._box = widgets.HBox([self._bar, self._text])
        display(self._box)

    def show(self, progress: steps.Steps) -> None:
        total = sum(s.expected for s in progress.steps) or 1.0
        self._bar.value = sum(s.expected * s.share for s in progress.steps) / total
        step = next((s for s in progress.steps if s.state == "running"), None)
        what = f"{step.title}: {step.detail[:60]}" if step else ""
        self._text.value = f"about {progress.left / 60:.0f} min left · {what}"

    def close(self) -> None:
        self._box.close()


def predict(name: str, question: str, *, unit: str, value: float | None = None) -> Any:
    """Ask for a prediction, and keep the first one.

    Args:
        name: what is predicted; `predicted(name)` gives it back.
        question: what is asked.
        unit: of the number, e.g. `MB`.
        value: commits this number at once, without a widget.

    Returns:
        A small form, or a line once a prediction is kept.
    """
    kept = workspace.predicted(name)
    if kept is None and value is not None:
        kept = float(workspace.predict(name, value, unit)["value"])
    if kept is not None:
        return Shown(f"{question}  You said: {kept:g} {unit}")
    return _prediction_form(name, question, unit)


def _prediction_form(name: str, question: str, unit: str) -> Any:
    import ipywidgets as widgets

    number = widgets.FloatText(description=unit, layout=widgets.Layout(width="14em"))
    button = widgets.Button(description="Commit", tooltip="Keep this prediction", icon="check")
    said = widgets.Label()

    def commit(_: object) -> None:
        first = workspace.predict(name, float(number.value), unit)
        said.value = f"You said: {first['value']:g} {unit}. Now measure."
        number.disabled = button.disabled = True

    button.on_click(commit)
    asked = widgets.Label(question)
    return widgets.VBox([asked, widgets.HBox([number, button, said])])


def predicted(name: str) -> float | None:
    """What was predicted, or `None`.

    Args:
        name: as given to `predict`.
    """
    return workspace.predicted(name)


def ledger_row(claim: str, *, lesson: str, measured: str, conditions: str, verdict: str) -> Shown:
    """Write one row of your ledger and show it.

    Args:
        claim: the sentence on trial.
        lesson: the lesson's stem.
        measured: what you measured, with units.
        conditions: under which conditions.
        verdict: what it says of the claim.
    """
    row = workspace.add_row(
        claim, lesson=lesson, measured=measured, conditions=conditions, verdict=verdict
    )
    left = "style='text-align:left'"
    cells = "".join(
        f"<tr><th {left}>{name}</th><td {left}>{html.escape(row[name])}</td></tr>"
        for name in ("claim", "measured", "conditions", "verdict", "engine", "at")
    )
    return Shown(workspace.row_text(row), f"<table class='course-ledger'>{cells}</table>")
