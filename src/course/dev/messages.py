"""Every message of an exercise, side by side: what it says of facts that tests/messages holds.

One text file for each exercise whose verdicts follow from facts. Who changes words reads them in
the file's diff, without an engine.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from course.core import manifest
from course.dev import causes
from course.exercises.kit.check import explanation
from course.exercises.kit.facts import Facts
from course.exercises.kit.verdict import Result, Wrong

PACKAGE = "tests.messages"
"""A module for each lesson: MESSAGES, exercise → what is the case, in a few words → facts.

The module `kit` has the verdicts that the kit gives to all of them: MESSAGES, module of the kit →
what is the case → the verdict.
"""
_KIT = "kit"
_OF_THE_KIT = (
    "kit.bases",
    "kit.build_errors",
    "kit.copy",
    "kit.lost_requests",
    "kit.node_service",
    "kit.release_facts",
    "kit.run_errors",
    "kit.shop_facts",
)
"""The modules of the kit whose verdicts have a file."""
_PASSES_ON = {"kit.copy": "kit.build_errors"}
"""A module of the kit → another one whose verdicts it gives too; they are in that one's file."""


def rendered(exercise: manifest.Exercise, cases: Mapping[str, Facts]) -> str:
    """Return all messages of an exercise, each under its cause and what is the case.

    Args:
        exercise: the exercise.
        cases: what is the case → the facts that are seen then.
    """
    return "\n".join(_one(exercise, name, facts) for name, facts in cases.items())


def _one(exercise: manifest.Exercise, name: str, facts: Facts) -> str:
    wrong = facts.wrong()
    if wrong is None:
        right = Result(exercise.id, exercise.title, "passed", notes=tuple(facts.notes()))
        said = explanation(right).rpartition("\n")[0]  # without the seconds
        return f"# right: {name}\n{right!r}\n{said}".rstrip("\n") + "\n"
    return _wrong(exercise.id, exercise.title, name, wrong)


def _wrong(id_: str, title: str, name: str, wrong: Wrong) -> str:
    result = Result(id_, title, "failed", "", wrong.saw, wrong.want, wrong.try_)
    timed = " (on a busy machine: could not judge)" if wrong.timed else ""
    return f"# {wrong.cause}: {name}{timed}\n{result!r}\n"


def files(root: Path) -> dict[Path, str]:
    """Return what tests/messages/ has to hold: file → text.

    Args:
        root: the clone.
    """
    found = {}
    for place, verdicts in _cases(root, _KIT).items():
        all_ = [_wrong(place, "of any exercise", name, wrong) for name, wrong in verdicts.items()]
        found[_file(root, place)] = "\n".join(all_)
    for lesson in manifest.load(root / "course.toml").lessons:
        cases = _cases(root, lesson.module)
        for exercise in lesson.exercises:
            if exercise.id in cases:
                found[_file(root, exercise.id)] = rendered(exercise, cases[exercise.id])
    return found


def _cases(root: Path, module: str) -> dict[str, dict[str, Any]]:
    if not (root / PACKAGE.replace(".", "/") / f"{module}.py").exists():
        return {}
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    cases: dict[str, dict[str, Any]] = importlib.import_module(f"{PACKAGE}.{module}").MESSAGES
    return cases


def write(root: Path) -> list[Path]:
    """Write the files, and return those that changed.

    Args:
        root: the clone.
    """
    changed = []
    for path, text in files(root).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path.relative_to(root))
    return changed


def problems(root: Path) -> Iterator[str]:
    """Yield the causes of exercises that no file shows a message of.

    Args:
        root: the clone.
    """
    named = causes.causes(root)
    for id_ in (*(place for place in named if not place.startswith("kit.")), *_OF_THE_KIT):
        shown = _shown(_file(root, id_)) | _shown(_file(root, _PASSES_ON.get(id_, id_)))
        for cause in sorted(set(named.get(id_, {})) - shown):
            yield f"{id_}: no facts in tests/messages/ provoke `{cause}`; then: course dev messages"


def _shown(file: Path) -> set[str]:
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return {line[2:].partition(":")[0] for line in text.splitlines() if line[:2] == "# "}


def _file(root: Path, id_: str) -> Path:
    return root / PACKAGE.replace(".", "/") / f"{id_}.txt"
