"""The course as data: `course.toml`."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from course.core import paths
from course.core.errors import CourseError
from course.core.names import CAPABILITIES


@dataclass(frozen=True)
class Exercise:
    """One exercise."""

    id: str
    title: str
    minutes: int
    needs: tuple[str, ...]
    hints: tuple[str, ...]


@dataclass(frozen=True)
class Seconds:
    """How long a lesson's notebooks take in the tests, on two cores; 0 if nobody has said.

    Args:
        lesson: of notebooks/.
        solution: of solutions/.
    """

    lesson: int = 0
    solution: int = 0


@dataclass(frozen=True)
class Lesson:
    """One lesson and its lab."""

    stem: str
    part: int
    title: str
    minutes: int
    needs: tuple[str, ...]
    claim: str
    exercises: tuple[Exercise, ...]
    test_seconds: Seconds = Seconds()

    @property
    def topic(self) -> str:
        """The stem without its number; exercise ids begin with it."""
        return self.stem.split("-", 1)[1]

    @property
    def module(self) -> str:
        """The Python module that holds its exercises."""
        return self.topic.replace("-", "_")


@dataclass(frozen=True)
class Part:
    """A part of the course."""

    id: int
    title: str
    lessons: tuple[str, ...]
    """Stems of all its lessons, those that are not written yet too."""


@dataclass(frozen=True)
class Manifest:
    """The whole course."""

    title: str
    parts: tuple[Part, ...]
    lessons: tuple[Lesson, ...]

    def exercise(self, id_: str) -> Exercise:
        """The exercise of this id.

        Raises:
            CourseError: there is none; the nearest is offered.
        """
        found = {e.id: e for lesson in self.lessons for e in lesson.exercises}
        return _pick(found, id_, "exercise", "course list")

    def lesson(self, name: str) -> Lesson:
        """The lesson of this stem or topic.

        Raises:
            CourseError: there is none; the nearest is offered.
        """
        found = {lesson.stem: lesson for lesson in self.lessons}
        found |= {lesson.topic: lesson for lesson in self.lessons}
        return _pick(found, name, "lesson", "course list")

    def lesson_of(self, id_: str) -> Lesson:
        """The lesson that an exercise belongs to.

        Raises:
            CourseError: there is no such exercise.
        """
        self.exercise(id_)
        return next(lo for lo in self.lessons if any(e.id == id_ for e in lo.exercises))


_Entry = TypeVar("_Entry")


def _pick(found: dict[str, _Entry], name: str, what: str, list_: str) -> _Entry:
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=1, cutoff=0.4)
    raise CourseError(
        f"no {what} is called `{name}`",
        f"`{near[0]}`?" if near else f"one of: {', '.join(sorted(found))}",
        f"{list_}   shows them all",
    )


def load(path: Path | None = None) -> Manifest:
    """Read `course.toml`.

    Args:
        path: the file; the course's own by default.

    Raises:
        CourseError: it does not parse or does not fit; file, line and reason are named.
    """
    path = path or paths.ROOT / "course.toml"
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except FileNotFoundError as error:
        raise CourseError(
            f"{path} is missing", "the course's manifest", f"git checkout {path.name}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(
            f"{path}: {error}", "TOML", "mend that line, or: git diff course.toml"
        ) from error
    return _Reader(path, text).manifest(data)


@dataclass
class _Reader:
    path: Path
    text: str

    def fail(self, what: str, near: str = "") -> CourseError:
        line = next(
            (i for i, row in enumerate(self.text.splitlines(), 1) if near and near in row), 0
        )
        where = f"{self.path}, line {line}" if line else str(self.path)
        return CourseError(f"{where}: {what}", "see the entries beside it", "git diff course.toml")

    def get(self, entry: dict[str, Any], name: str, kind: type, near: str) -> Any:
        value = entry.get(name)
        if type(value) is not kind:
            raise self.fail(f"`{name}` of {near} is {value!r}, not {kind.__name__}", near)
        return value

    def manifest(self, data: dict[str, Any]) -> Manifest:
        title = self.get(data, "title", str, "title")
        parts = tuple(
            Part(p["id"], self.get(p, "title", str, "part"), self.words(p, "lessons", "part"))
            for p in self.get(data, "parts", list, "parts")
        )
        lessons = tuple(self.lesson(entry, parts) for entry in data.get("lessons", []))
        ids = [e.id for lesson in lessons for e in lesson.exercises]
        for id_ in ids:
            if ids.count(id_) > 1:
                raise self.fail(f"the exercise {id_} stands twice", id_)
        return Manifest(title, parts, lessons)

    def lesson(self, entry: dict[str, Any], parts: tuple[Part, ...]) -> Lesson:
        stem = self.get(entry, "stem", str, "a lesson")
        if not re.fullmatch(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*", stem):
            raise self.fail(f"the stem `{stem}` is not NN-topic", stem)
        part = self.get(entry, "part", int, stem)
        if not any(p.id == part and stem in p.lessons for p in parts):
            raise self.fail(f"part {part} does not list {stem}", stem)
        lesson = Lesson(
            stem,
            part,
            self.get(entry, "title", str, stem),
            self.get(entry, "minutes", int, stem),
            self.needs(entry, stem),
            self.get(entry, "claim", str, stem),
            tuple(self.exercise(e, stem) for e in entry.get("exercises", [])),
            self.seconds(entry, stem),
        )
        for exercise in lesson.exercises:
            if not re.fullmatch(rf"{re.escape(lesson.topic)}-\d+", exercise.id):
                raise self.fail(f"the id `{exercise.id}` is not {lesson.topic}-N", exercise.id)
        return lesson

    def exercise(self, entry: dict[str, Any], stem: str) -> Exercise:
        id_ = self.get(entry, "id", str, stem)
        return Exercise(
            id_,
            self.get(entry, "title", str, id_),
            self.get(entry, "minutes", int, id_),
            self.needs(entry, id_),
            self.words(entry, "hints", id_),
        )

    def seconds(self, entry: dict[str, Any], stem: str) -> Seconds:
        if "test_seconds" not in entry:
            return Seconds()
        stated = self.get(entry, "test_seconds", dict, stem)
        names = ("lesson", "solution")
        if set(stated) != set(names) or not all(type(stated[n]) is int for n in names):
            raise self.fail(f"test_seconds of {stem} is not {{ lesson = N, solution = N }}", stem)
        return Seconds(*(stated[name] for name in names))

    def needs(self, entry: dict[str, Any], near: str) -> tuple[str, ...]:
        needs = self.words(entry, "needs", near)
        for need in needs:
            if need not in CAPABILITIES:
                raise self.fail(f"{near} needs `{need}`, which is none of {CAPABILITIES}", near)
        return needs

    def words(self, entry: dict[str, Any], name: str, near: str) -> tuple[str, ...]:
        value = self.get(entry, name, list, near)
        if not all(isinstance(word, str) and word.strip() for word in value):
            raise self.fail(f"`{name}` of {near} holds something that is no text", near)
        return tuple(value)


def course_map(manifest: Manifest) -> str:
    """The course as a Markdown table; lessons that are not written yet are not linked."""
    written = {lesson.stem: lesson for lesson in manifest.lessons}
    rows = ["| part | lesson | minutes | exercises |", "|---|---|---|---|"]
    for part in manifest.parts:
        for stem in part.lessons:
            lesson = written.get(stem)
            if lesson is None:
                rows.append(f"| {part.id} {part.title} | {stem} *(to come)* | | |")
                continue
            link = f"[{stem}: {lesson.title}](notebooks/{stem}.ipynb)"
            lab = f"[{len(lesson.exercises)}](labs/{stem}.ipynb)"
            rows.append(f"| {part.id} {part.title} | {link} | {lesson.minutes} | {lab} |")
    return "\n".join(rows) + "\n"
