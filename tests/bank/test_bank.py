"""Every lab unsolved, and every wrong and alternative answer, on the real engine.

Which of them run, and in which order, is said by the suite (`course.dev.recorder`).
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from course.core import environment, manifest, paths
from course.core.process import default_runner
from course.dev import results
from course.dev.results import Row, p95
from course.exercises.kit import check, start
from course.exercises.kit.exercise import find
from course.exercises.kit.lab import Lab
from course.learner import run_notebook
from tests.bank import KINDS, Answer

COURSE = manifest.load()
LESSON_OF = {e.id: lesson for lesson in COURSE.lessons for e in lesson.exercises}
BANKS = {
    lesson.stem: importlib.import_module(f"tests.bank.{lesson.module}").BANK
    for lesson in COURSE.lessons
}
ENTRIES: list[tuple[str, Answer]] = [
    (id_, answer) for id_, lesson in LESSON_OF.items() for answer in BANKS[lesson.stem][id_]
]


@dataclass
class Judged:
    """One answer that has been judged."""

    id: str
    wrong: bool
    goto_s: float
    own_ms: float
    observed_s: float
    named: bool = False


judged: list[Judged] = []


def saved_names() -> set[str]:
    """Names under which start states have set images aside."""
    listing = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]
    environment.apply()
    return {n for n in default_runner().run(listing, timeout=60).stdout.split() if "-saved-" in n}


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    for name, value in environment.environment().items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def figures() -> Iterator[None]:
    before = saved_names()
    yield
    for name in saved_names() - before:
        default_runner().run(["docker", "image", "rm", name], timeout=60, check=False)
    done = Counter(LESSON_OF[one.id].stem for one in judged)
    measured = {stem: rows(stem) for stem in sorted(done)}
    for row in (row for those in measured.values() for row in those):
        print(f"\n{row.name}: {row.figure}", end="")
    if "COURSE_TEST_KEEP" in os.environ:
        every = Counter(LESSON_OF[id_].stem for id_, _ in ENTRIES)
        whole = [stem for stem in measured if done[stem] == every[stem]]
        results.keep(row for stem in whole for row in measured[stem])


def rows(stem: str) -> list[Row]:
    """What judging the answers of one lesson measured."""
    those = [one for one in judged if LESSON_OF[one.id].stem == stem]
    wrong = [one for one in those if one.wrong]
    exercises = {one.id for one in those}
    share = 100 * sum(one.named for one in wrong) / max(1, len(wrong))
    kit = ("check", "lab", "served", "starts", "copy")
    subject = (*(f"src/course/exercises/kit/{name}.py" for name in kit), *own_files(stem))
    here = f"{len(those)} answers of {len(exercises)} exercises; {results.machine()}"
    own, goto = p95([one.own_ms for one in those]), p95([one.goto_s for one in those])
    watched = [one.observed_s for one in those]
    figures = [
        ("wrong answers, the true cause named", f"{share:.0f} % of {len(wrong)}", "≥ 95 %"),
        ("a check's own time", f"p95 {own:.0f} ms", "< 150 ms"),
        ("goto", f"p95 {goto:.1f} s", "< 3 s"),
        ("what a check watches", f"p95 {p95(watched):.0f} s, at most {max(watched):.0f} s", ""),
    ]
    holds = (share >= 95, own < 150, goto < 3, True)
    return [
        Row(f"{stem}: {name}", figure, bound, ok, here, subject)
        for (name, figure, bound), ok in zip(figures, holds, strict=True)
    ]


def own_files(stem: str) -> list[str]:
    """The modules of a lesson's exercises, those that they share beside the kit, and the bank."""
    lesson = next(lesson for lesson in COURSE.lessons if lesson.stem == stem)
    homes = {type(find(exercise.id)._code).__module__ for exercise in lesson.exercises}
    named = [value for home in homes for value in vars(sys.modules[home]).values()]
    modules = {str(getattr(value, "__module__", "")) for value in named}
    own = sorted(name for name in modules if name.rpartition(".")[0] == "course.exercises")
    return [*(f"src/{name.replace('.', '/')}.py" for name in own), f"tests/bank/{lesson.module}.py"]


def shown_by_checks(lesson: manifest.Lesson, work: Path) -> list[str]:
    """What the checks of an unsolved lab say when all its cells are run."""
    notebook = nbformat.read(paths.ROOT / "labs" / f"{lesson.stem}.ipynb", as_version=4)
    done = run_notebook.run(notebook, work)
    return [
        str(output.get("data", {}).get("text/plain", ""))
        for cell in done.cells
        if "check" in cell.metadata.get("tags", [])
        for output in cell.outputs
    ]


@pytest.mark.parametrize("lesson", COURSE.lessons, ids=lambda lesson: lesson.stem)
def test_an_unsolved_lab_runs_to_its_end_and_passes_nothing(
    lesson: manifest.Lesson, work: Path
) -> None:
    shown = shown_by_checks(lesson, work)
    if any("could not judge" in text for text in shown):
        shown = shown_by_checks(lesson, work)
    if any("could not judge" in text for text in shown):
        pytest.skip(f"could not judge: {next(t for t in shown if 'could not judge' in t)}")
    assert len(shown) == len(lesson.exercises)
    for exercise, text in zip(lesson.exercises, shown, strict=True):
        assert text.startswith(f"✗ {exercise.id} · "), text
        assert "saw:" in text and "want:" in text and "try:" in text


@pytest.mark.parametrize(("id_", "answer"), ENTRIES, ids=lambda v: getattr(v, "name", v))
def test_an_answer_is_judged_for_its_true_cause(id_: str, answer: Answer) -> None:
    assert answer.kind in KINDS
    began = time.monotonic()
    start.goto(id_)
    goto_s = time.monotonic() - began
    answer.apply(Lab(id_))
    result = check.check(id_, wait=0)
    if result.state == "could not judge":
        # As a learner does. That it happened is counted; an answer that cannot be judged twice
        # has no verdict, so it has not passed.
        print(f"\nasked again: {id_}, {answer.name}: {result.saw}")
        result = check.check(id_, wait=0)
    if result.state == "could not judge":
        pytest.skip(f"could not judge: {result.saw}")
    watched = sum(seconds for _, seconds in result.observed)
    cause = find(id_).start_cause if answer.kind == "unchanged" else answer.cause
    one = Judged(id_, bool(cause), goto_s, result.own_ms, watched)
    judged.append(one)
    if not cause:
        assert result.state == "passed", repr(result)
        return
    assert result.state == "failed", f"{answer.name} was accepted"
    assert result.cause == cause, repr(result)
    one.named = True
    assert result.saw and result.want and result.try_
