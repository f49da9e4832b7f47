"""Every lab unsolved, and every wrong and alternative answer, on the real engine."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from course import checks, engines, execute, manifest, paths, workspace
from course.run import runner
from course.world import World
from tests.bank import KINDS, Answer

COURSE = manifest.load()
ENTRIES = [
    (exercise.id, answer)
    for lesson in COURSE.lessons
    for exercise in lesson.exercises
    for answer in importlib.import_module(f"tests.bank.{lesson.module}").BANK[exercise.id]
]
LONGEST_WAIT = 5.0
named = {"true": 0, "all": 0}
own_ms: list[float] = []


def saved_names() -> set[str]:
    """Names under which start states have set images aside."""
    listing = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]
    os.environ.update(engines.environment())
    return {n for n in runner().run(listing, timeout=60).stdout.split() if "-saved-" in n}


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    for name, value in engines.environment().items():
        monkeypatch.setenv(name, value)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def share() -> Iterator[None]:
    before = saved_names()
    yield
    for name in saved_names() - before:
        runner().run(["docker", "image", "rm", name], timeout=60, check=False)
    if own_ms:
        slowest = sorted(own_ms)[int(0.95 * len(own_ms))]
        print(f"\na check's own time: p95 {slowest:.0f} ms of {len(own_ms)}")
    if named["all"]:
        print(f"\ntrue cause named in {100 * named['true'] / named['all']:.0f} % of {named['all']}")


@pytest.mark.parametrize("lesson", COURSE.lessons, ids=lambda lesson: lesson.stem)
def test_an_unsolved_lab_runs_to_its_end_and_passes_nothing(
    lesson: manifest.Lesson, work: Path
) -> None:
    notebook = nbformat.read(paths.ROOT / "labs" / f"{lesson.stem}.ipynb", as_version=4)
    done = execute.run(notebook, work)
    shown = [
        str(output.get("data", {}).get("text/plain", ""))
        for cell in done.cells
        if "check" in cell.metadata.get("tags", [])
        for output in cell.outputs
    ]
    assert len(shown) == len(lesson.exercises)
    for exercise, text in zip(lesson.exercises, shown, strict=True):
        assert text.startswith(f"✗ {exercise.id} · "), text
        assert "saw:" in text and "want:" in text and "try:" in text


@pytest.mark.parametrize(("id_", "answer"), ENTRIES, ids=lambda v: getattr(v, "name", v))
def test_an_answer_is_judged_for_its_true_cause(id_: str, answer: Answer) -> None:
    assert answer.kind in KINDS
    workspace.goto(id_)
    answer.apply(World(id_))
    result = checks.check(id_, wait=0)
    own_ms.append(result.own_ms)
    assert sum(seconds for _, seconds in result.observed) < 15 + LONGEST_WAIT
    if not answer.cause:
        assert result.state == "passed", repr(result)
        return
    named["all"] += 1
    assert result.state == "failed", f"{answer.name} was accepted"
    assert result.cause == answer.cause, repr(result)
    named["true"] += 1
    assert result.saw and result.want and result.try_


def test_a_check_before_its_cell_has_run_says_so() -> None:
    result = checks.check(COURSE.lessons[0].exercises[0].id)
    assert result.state == "not started"
    assert "begin(" in repr(result)


def test_the_bank_was_not_empty() -> None:
    assert len(ENTRIES) >= 5 * sum(len(lesson.exercises) for lesson in COURSE.lessons)
    assert os.environ["DOCKER_HOST"]
