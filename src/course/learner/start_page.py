"""The learner's start page: the course map with their state, and the one place to go on.

Pure: the course and the progress in, Markdown out. `progress` writes it to `work/README.md`
whenever the progress changes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from course.core.manifest import Lesson, Manifest

NAME = "README.md"
"""As the repository's own page is called, so that a link to `../README.md` leads to a course map
both from a notebook in `work/` and from one on a forge."""

_SEAL = re.compile(r"<!-- course: ([0-9a-f]{16}) -->\n?\Z")
_STATES = {"passed": "✓ done", "started": "… started", "new": "· to do"}


def page(course: Manifest, progress: dict[str, Any]) -> str:
    """The start page.

    Args:
        course: the course.
        progress: as `progress.progress` returns it.

    Returns:
        Markdown that ends with a seal, by which `is_ours` knows it again.
    """
    exercises = [e for lesson in course.lessons for e in lesson.exercises]
    done = sum(_state(progress, e.id) == "passed" for e in exercises)
    claims = sum(_measured(progress, lesson) for lesson in course.lessons)
    lines = [
        f"# {course.title}",
        "",
        _go_on(course, progress),
        "",
        f"{done} of {len(exercises)} exercises done, "
        f"{claims} of {len(course.lessons)} claims measured.",
    ]
    for part in course.parts:
        lines += [
            "",
            f"## Part {part.id}: {part.title}",
            "",
            *_part(course, part.lessons, progress),
        ]
    lines += ["", *_terminal(exercises[0].id if exercises else "ID")]
    text = "\n".join(lines)
    return f"{text}<!-- course: {_seal(text)} -->\n"


def _terminal(example: str) -> list[str]:
    commands = {
        f"hint {example}": "one more hint each time",
        f"goto {example}": "an exercise's start state, from any state; what was there is saved",
        "ledger": "your own evidence, claim by claim; `--html` writes it as a page",
        "status": "what runs, and what is still being prepared",
        "doctor": "what is wrong with this machine, and the one thing to do",
    }
    return [
        "## In a terminal",
        "",
        "*File → New → Terminal* has the commands of the course:",
        "",
        "| command | what it does |",
        "|:---|:---|",
        *(f"| `course {command}` | {what} |" for command, what in commands.items()),
        "",
        "This page is the course's: it is written anew when your state changes. "
        "Keep notes in files of your own.",
        "",
    ]


def is_ours(text: str) -> bool:
    """Whether a page was written by the course, edited since or not."""
    return bool(_SEAL.search(text))


def is_edited(text: str) -> bool:
    """Whether somebody changed a page since the course wrote it."""
    found = _SEAL.search(text)
    return found is None or found[1] != _seal(text[: found.start()])


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _part(course: Manifest, stems: tuple[str, ...], progress: dict[str, Any]) -> Iterator[str]:
    written = {lesson.stem: lesson for lesson in course.lessons}
    if not set(stems) & set(written):
        yield f"*To come*: {', '.join(stems)}"
        return
    yield "| your state | lesson and exercises | minutes |"
    yield "|:---|:---|---:|"
    for stem in stems:
        lesson = written.get(stem)
        if lesson is None:
            yield f"| to come | {stem} | |"
            continue
        state = "✓ measured" if _measured(progress, lesson) else "· to do"
        link = f"[{stem}: {lesson.title}](notebooks/{stem}.ipynb)"
        yield f"| {state} | **{link}** | {lesson.minutes} |"
        for exercise in lesson.exercises:
            state = _STATES[_state(progress, exercise.id)]
            link = f"[{exercise.id}](labs/{stem}.ipynb): {exercise.title}"
            yield f"| {state} | {link} | {exercise.minutes} |"


def _go_on(course: Manifest, progress: dict[str, Any]) -> str:
    """The first thing that is left to do: a lesson, then its exercises, then the next lesson."""
    for lesson in course.lessons:
        states = {e.id: _state(progress, e.id) for e in lesson.exercises}
        left = [e for e in lesson.exercises if states[e.id] != "passed"]
        if not left and (lesson.exercises or _measured(progress, lesson)):
            continue
        word = "Go on" if progress["exercises"] or progress["ledger"] else "Begin"
        if not _measured(progress, lesson) and set(states.values()) <= {"new"}:
            return f"**{word}: [{lesson.title}](notebooks/{lesson.stem}.ipynb)**"
        what = f"{left[0].id}: {left[0].title}"
        return f"**{word}: [{what}](labs/{lesson.stem}.ipynb)**"
    return "**You have done all that is there.** `course ledger` prints your evidence."


def _state(progress: dict[str, Any], id_: str) -> str:
    return str(progress["exercises"].get(id_, {}).get("state", "new"))


def _measured(progress: dict[str, Any], lesson: Lesson) -> bool:
    return any(row["lesson"] == lesson.stem for row in progress["ledger"].values())
