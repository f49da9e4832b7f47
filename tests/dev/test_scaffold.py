"""course.dev.scaffold: the five places of a new exercise."""

from __future__ import annotations

import re
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
        "tests/messages",
    ):
        shutil.copytree(paths.ROOT / folder, root / folder)
    shutil.copy(paths.ROOT / "course.toml", root)
    return root


@pytest.mark.parametrize(
    ("topic", "id_"),
    [
        ("containers", "containers-4"),
        ("slim-images", "slim-images-5"),
        ("users-and-health", "users-and-health-5"),
    ],
)
def test_a_new_exercise_has_its_five_places_and_is_refused_until_written(
    clone: Path, topic: str, id_: str
) -> None:
    edited = scaffold.exercise(clone, topic, "It is so")
    assert len(edited) == 5
    course = manifest.load(clone / "course.toml")
    new = course.lesson(topic).exercises[-1]
    assert (new.id, new.title) == (id_, "It is so")
    for path in edited:
        assert id_ in path.read_text()
        if path.suffix == ".py":
            compile(path.read_text(), path.name, "exec")
    code = edited[2].read_text()
    assert code.count("import Facts, Observation") == code.count("import dataclass\n") == 1
    for name in ("exercise", "Lab", "Wrong"):
        assert len(re.findall(rf"import (?:.*, )?{name}$", code, re.MULTILINE)) == 1
    assert f'@exercise("{id_}", start_cause=' in code and "def observe(" in code
    found = "\n".join(check.problems(clone))
    assert f"{id_} has 0 hints" in found and f"{id_} has 0 wrong answers" in found


def test_a_lesson_that_is_not_there(clone: Path) -> None:
    with pytest.raises(CourseError, match="no lesson is called `nothing`"):
        scaffold.exercise(clone, "nothing", "x")
