"""course.dev.scaffold: the four places of a new exercise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from course.core import manifest, paths
from course.core.errors import CourseError
from course.dev import check, scaffold


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    root = tmp_path / "clone"
    for folder in (
        "content",
        "notebooks",
        "labs",
        "solutions",
        "src/course/exercises",
        "tests/bank",
    ):
        shutil.copytree(paths.ROOT / folder, root / folder)
    shutil.copy(paths.ROOT / "course.toml", root)
    return root


def test_a_new_exercise_has_its_four_places_and_is_refused_until_written(clone: Path) -> None:
    edited = scaffold.exercise(clone, "containers", "It is so")
    assert len(edited) == 4
    course = manifest.load(clone / "course.toml")
    new = course.lesson("containers").exercises[-1]
    assert (new.id, new.title) == ("containers-4", "It is so")
    for path in edited:
        assert "containers-4" in path.read_text()
        if path.suffix == ".py":
            compile(path.read_text(), path.name, "exec")
    found = "\n".join(check.problems(clone))
    assert "containers-4 has 0 hints" in found and "containers-4 has 0 wrong answers" in found


def test_a_lesson_that_is_not_there(clone: Path) -> None:
    with pytest.raises(CourseError, match="no lesson is called `nothing`"):
        scaffold.exercise(clone, "nothing", "x")
