"""What lessons and labs call: a handful of names, each of which shows itself in a notebook."""

from __future__ import annotations

import contextlib
import html
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from course.core import environment, inherited, manifest, paths, steps, waiting
from course.core.errors import CourseError
from course.exercises.kit import start
from course.learner import hints as hints_
from course.learner import ledger, notebooks
from course.learner import progress as progress_
from course.learner.quantity import parse_quantity
from course.measure import health
from course.views.shown import Shown

if TYPE_CHECKING:
    from course.views import pictures

_PREPARE_WAIT = 3600.0
_lesson = ""


def setup(name: str) -> Shown:
    """Make a notebook ready: the engine's variables, the tools, the learner's folder.

    Args:
        name: the lesson's stem.

    Returns:
        What is ready and what is still being prepared.

    Raises:
        CourseError: the engine does not run, or there is no such lesson.
    """
    global _lesson  # noqa: PLW0603 - what a notebook's later cells belong to
    course = manifest.load()
    lesson = course.lesson(name)
    _lesson = lesson.stem
    inherited.settle()
    environment.apply()
    paths.work().mkdir(parents=True, exist_ok=True)
    os.chdir(paths.work())
    notebooks.ensure_orders()
    lines = [f"{lesson.stem}: your folder is {paths.work()}"]
    lines += [_readiness(need) for need in lesson.needs]
    if lesson.needs:
        # What `course up` made may have gone since: Docker restarted, the gateway was removed.
        broken = [part for part in health.now() if part.ok is False]
        lines += [f"✗ {part.name}: {part.saw}\n  try:  {part.try_}" for part in broken]
    return Shown("\n".join(lines))


def _readiness(need: str) -> str:
    if environment.has(need):
        return f"✓ {need}"
    progress = steps.read()
    if progress and progress.running:
        step = next((s for s in progress.steps if s.state == "running"), None)
        doing = f": {step.title}" if step else ""
        return f"… {need} is being prepared{doing}, about {progress.left / 60:.0f} min left"
    return f"✗ {need}: {environment.why_not(need)}"


def begin(id_: str) -> Shown:
    """Set an exercise's start state, once.

    Args:
        id_: the exercise.

    Raises:
        CourseError: there is no such exercise, or its start state cannot be set.
    """
    return Shown(start.begin(id_))


def hint(id_: str) -> Shown:
    """Show one more hint each time.

    Args:
        id_: the exercise.
    """
    from course.views.cards import marked

    text = hints_.hint(id_)
    *hints, rest = text.splitlines()
    folded = "".join(
        f"<details{' open' if i == len(hints) - 1 else ''}><summary>Hint {i + 1}</summary>"
        f"{marked(line.split('. ', 1)[1])}</details>"
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
    with waiting.shown(f"`{capability}`") as shown:
        while not environment.has(capability):
            progress = steps.read()
            if progress is None or not progress.running:
                why = (
                    progress.error
                    if progress and progress.error
                    else environment.why_not(capability)
                )
                raise CourseError(
                    f"`{capability}` is not there: {why}", f"`{capability}`", "course up"
                )
            if time.monotonic() - began > wait:
                raise CourseError(
                    f"waited {wait:.0f} s for `{capability}`", f"`{capability}`", "course status"
                )
            shown.what, shown.share = _prepared(capability, progress), progress.share
            time.sleep(0.5)
    with contextlib.suppress(CourseError):
        environment.apply()
    waited = time.monotonic() - began
    return Shown(f"✓ {capability}" + (f" (waited {waited:.0f} s)" if waited > 1 else ""))


def _prepared(capability: str, progress: steps.Steps) -> str:
    step = next((s for s in progress.steps if s.state == "running"), None)
    doing = f": {step.title}, {step.detail[:60]}" if step else ""
    return f"`{capability}` is being prepared, about {progress.left / 60:.0f} min left{doing}"


def predict(name: str, question: str, *, unit: str, value: float | str | None = None) -> Any:
    """Ask for a prediction, and keep the first one.

    Args:
        name: what is predicted; `predicted(name)` gives it back.
        question: what is asked.
        unit: of the number, e.g. `MB`.
        value: commits this number at once, without a form.

    Returns:
        A small form, or a line once a prediction is kept.

    Raises:
        CourseError: `value` is not a number.
    """
    entry = progress_.ask(name, question=question, unit=unit, lesson=_lesson)
    if "value" not in entry and value is not None:
        entry = progress_.predict(name, parse_quantity(value, unit), unit)
    if "value" in entry:
        return Shown(f"{question}  You said: {entry['value']:g} {entry['unit']}")
    return _prediction_form(name, question, unit)


def _prediction_form(name: str, question: str, unit: str) -> Any:
    from course.views import prediction_form

    def commit(typed: str) -> tuple[str, bool]:
        try:
            entry = progress_.predict(name, parse_quantity(typed, unit), unit)
        except CourseError as error:
            return f"✗ {error.saw}; {error.try_}", False
        late = "It was measured before you said it." if entry["late"] else "Now measure."
        return f"You said: {entry['value']:g} {entry['unit']}. {late}", True

    return prediction_form.Form(question, unit, commit)


def predicted(name: str) -> float | None:
    """What was predicted, or `None`.

    Args:
        name: as given to `predict`.
    """
    return progress_.predicted(name)


def compare(name: str, measured: float, *, unit: str) -> Shown:
    """Keep what was measured, and show it against the prediction; without one too.

    Args:
        name: as given to `predict`.
        measured: the measured value.
        unit: of the measured value, the same as the prediction's.

    Raises:
        CourseError: `measured` is not a number.
    """
    value = parse_quantity(measured, unit)
    progress_.ask(name, unit=unit, lesson=_lesson)
    entry = progress_.measure(name, value, unit)
    bars = [("measured", "#0072b2", value)]
    if "value" in entry and entry["unit"] == unit:
        bars.insert(0, ("you said", "transparent", float(entry["value"])))
    most = max((abs(size) for _, _, size in bars), default=0) or 1
    # Hollow and filled, so that the two differ without their colour.
    rows = "".join(
        f"<tr><th scope='row' style='text-align:left'>{label}</th>"
        f"<td style='text-align:left;width:20em'><div style='box-sizing:border-box;height:1em;"
        f"border:1px solid;min-width:3px;width:{abs(size) / most:.1%};background:{fill}'>"
        f"</div></td>"
        f"<td style='text-align:right'>{size:g} {html.escape(unit)}</td></tr>"
        for label, fill, size in bars
    )
    text = ledger.compared(entry)
    return Shown(
        text,
        f"<table class='course-compare'><caption style='text-align:left'>{html.escape(text)}"
        f"</caption><tbody>{rows}</tbody></table>",
    )


def ledger_row(
    claim: str,
    *,
    lesson: str,
    measured: str,
    conditions: str,
    verdict: str,
    picture: pictures.Picture | None = None,
    predictions: Sequence[str] | None = None,
) -> Shown:
    """Write one row of your ledger and show it.

    Args:
        claim: the sentence on trial.
        lesson: the lesson's stem.
        measured: what you measured, with units.
        conditions: under which conditions.
        verdict: what it says of the claim.
        picture: what `picture(…)` gave; this notebook's last one by default.
        predictions: names of those about this claim; all of the lesson's by default.
    """
    from course.views import pictures

    shown = picture or pictures.latest()
    row = progress_.add_row(
        claim,
        lesson=lesson,
        measured=measured,
        conditions=conditions,
        verdict=verdict,
        picture=shown.png if shown else None,
        predictions=predictions,
    )
    said = list(ledger.predictions(progress_.progress()["predictions"], lesson, row))
    facts = [(name, row[name]) for name in ("claim", "measured", "conditions", "verdict")]
    facts += [("predicted", line) for line in said]
    facts.append(("where", f"{row['lesson']}, engine {row['engine']}, {row['at']}"))
    left = "style='text-align:left;white-space:normal'"
    cells = "".join(
        f"<tr><th scope='row' {left}>{name}</th><td {left}>{html.escape(value)}</td></tr>"
        for name, value in facts
    )
    text = "\n".join(f"{name + ':':<12}{value}" for name, value in facts)
    return Shown(text, f"<table class='course-ledger'><tbody>{cells}</tbody></table>")
