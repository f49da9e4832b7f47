"""Answers that are made of the lab's own solution, a wrong one by an edit of it.

The solution is a script: the cells of the lab that solve the exercise. An edit changes that script,
or a file of the learner's, before the script is run in the learner's folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import groupby

from course.core import manifest, paths
from course.core.process import default_runner
from course.dev.solutions import tasks
from course.exercises.kit.lab import Lab
from tests.bank import Answer

Edit = Callable[[Lab, str], str]
"""Given the lab and the script, returns the script."""
_SHELL = "%%bash -euo pipefail\n"
_WAIT = 300.0


def sub(old: str, new: str) -> Edit:
    """Replace a part of the script."""

    def edit(_: Lab, script: str) -> str:
        assert old in script, f"{old!r} is not in {script}"
        return script.replace(old, new)

    return edit


def in_file(name: str, old: str, new: str) -> Edit:
    """Replace a part of a file of the learner's."""

    def edit(lab: Lab, script: str) -> str:
        text = (lab.folder() / name).read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        lab.write(name, text.replace(old, new))
        return script

    return edit


def script(text: str) -> Edit:
    """Do this instead of the solution."""
    return lambda *_: text


def before(text: str) -> Edit:
    """Do this before the solution."""
    return lambda _, script: f"{text}\n{script}"


def after(text: str) -> Edit:
    """Do this after the solution."""
    return lambda _, script: f"{script}\n{text}"


def call(function: Callable[[Lab], None]) -> Edit:
    """Do what a function does instead of the solution."""

    def edit(lab: Lab, _: str) -> str:
        function(lab)
        return ""

    return edit


class _Wrong:
    """Makes answers that an edit makes wrong, all of one kind.

    Args:
        kind: one of `KINDS`.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, name: str, cause: str, *edits: Edit, path: str = "") -> Answer:
        """Return one; the arguments are those of `Answer`, with edits of the solution."""
        return Answer(name, lambda lab: _give(lab, edits), cause, self._kind, path)


# Named as their kinds are: a bank's text is read without being run (`course.dev.things`).
fits_the_probe = _Wrong("fits-the-probe")
forged = _Wrong("forged")
from_elsewhere = _Wrong("from-elsewhere")
works_once = _Wrong("works-once")
feature_gone = _Wrong("feature-gone")
nearly = _Wrong("nearly")
not_the_serving_object = _Wrong("not-the-serving-object")
wrong_name = _Wrong("wrong-name")
stale = _Wrong("stale")
symptom_hidden = _Wrong("symptom-hidden")
warned_means = _Wrong("warned-means")


def unchanged(name: str, *, path: str = "") -> Answer:
    """Return the start state itself."""
    return Answer(name, lambda _: None, "", "unchanged", path)


def solution(name: str, *, path: str = "") -> Answer:
    """Return the lab's own solution."""
    return Answer(name, lambda lab: _give(lab, ()), "", "solution", path)


def alternative(name: str, *edits: Edit, path: str = "") -> Answer:
    """Return another right answer."""
    return Answer(name, lambda lab: _give(lab, edits), "", "alternative", path)


def edited(lab: Lab, edits: tuple[Edit, ...]) -> str:
    """Return the script of an answer.

    Args:
        lab: of the exercise, with its start state.
        edits: what makes it of the solution.
    """
    text = solving(lab.id)
    for edit in edits:
        text = edit(lab, text)
    return text


def solving(id_: str) -> str:
    """Return the script that solves an exercise, as its lab's solution has it."""
    stem = manifest.load().lesson_of(id_).stem
    notebook = json.loads((paths.ROOT / "solutions" / f"{stem}.ipynb").read_text("utf-8"))
    cells = tasks(notebook["cells"], id_)
    assert cells
    # Cells of Python that follow one another share their names, as in a notebook.
    parts = groupby(cells, key=lambda cell: cell.startswith(_SHELL))
    return "\n".join(_as_shell(list(those), shell=shell) for shell, those in parts)


def _as_shell(cells: list[str], *, shell: bool) -> str:
    text = "\n".join(cell.removeprefix(_SHELL) for cell in cells)
    return text if shell else f"'{sys.executable}' - <<'PYTHON'\n{text}\nPYTHON"


def _give(lab: Lab, edits: tuple[Edit, ...]) -> None:
    argv = ("bash", "-euo", "pipefail", "-c", edited(lab, edits))
    default_runner().run(argv, timeout=_WAIT, cwd=paths.work(), env=lab.env())
