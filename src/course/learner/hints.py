"""Hints, solutions and the list of exercises."""

from __future__ import annotations

from typing import Any

from course.core import manifest, paths
from course.learner.notebooks import sources
from course.learner.progress import changing, progress


def hint(id_: str) -> str:
    """One more hint each time; all that were given are shown."""
    exercise = manifest.load().exercise(id_)
    with changing() as data:
        entry = data["exercises"].setdefault(id_, {})
        entry["hints"] = min(entry.get("hints", 0) + 1, len(exercise.hints))
        given = entry["hints"]
    lines = [f"{i}. {text}" for i, text in enumerate(exercise.hints[:given], 1)]
    left = len(exercise.hints) - given
    lines.append(f"({left} more: course hint {id_})" if left else "(that was the last one)")
    return "\n".join(lines)


def solution(id_: str) -> str:
    """The solution of an exercise: after success, or when asked twice."""
    course = manifest.load()
    course.exercise(id_)
    with changing() as data:
        entry = data["exercises"].setdefault(id_, {})
        asked = entry["asked"] = entry.get("asked", 0) + 1
        passed = entry.get("state") == "passed"
    if not passed and asked < 2:
        return (
            f"{id_} is not passed yet. A hint may do: course hint {id_}\n"
            f"If you want the solution all the same, ask again: course solution {id_}"
        )
    path = paths.ROOT / "solutions" / f"{course.lesson_of(id_).stem}.ipynb"
    cells = sources(path)
    begin_at = next(i for i, (_, source) in enumerate(cells) if f'begin("{id_}")' in source)
    end_at = next(i for i, (_, source) in enumerate(cells) if f'check("{id_}")' in source)
    code = [source for kind, source in cells[begin_at + 1 : end_at] if kind == "code"]
    return "\n\n".join(code)


def listing(course: manifest.Manifest) -> list[dict[str, Any]]:
    """All exercises with the learner's state."""
    known = progress()["exercises"]
    return [
        {
            "id": exercise.id,
            "part": lesson.part,
            "lesson": lesson.stem,
            "title": exercise.title,
            "minutes": exercise.minutes,
            "needs": list(exercise.needs),
            "hints": len(exercise.hints),
            "state": known.get(exercise.id, {}).get("state", "new"),
        }
        for lesson in course.lessons
        for exercise in lesson.exercises
    ]
