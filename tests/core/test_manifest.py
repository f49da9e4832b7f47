"""course.core.manifest: the course as data, and what is said when it does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core import manifest, paths
from course.core.errors import CourseError


def test_the_course_itself_is_whole() -> None:
    course = manifest.load()
    stems = [stem for part in course.parts for stem in part.lessons]
    assert len(stems) == 20
    assert [stem[:2] for stem in stems] == [f"{n:02d}" for n in range(1, 21)]
    assert all(lesson.claim for lesson in course.lessons)


def test_a_misspelt_exercise_is_offered_the_nearest() -> None:
    with pytest.raises(CourseError) as caught:
        manifest.load().exercise("conatiners-2")
    assert caught.value.want == "`containers-2`?"
    with pytest.raises(CourseError, match="no lesson is called"):
        manifest.load().lesson("kubernetes")


def test_a_lesson_is_found_by_stem_topic_and_exercise() -> None:
    course = manifest.load()
    assert course.lesson("containers") is course.lesson("01-containers")
    assert course.lesson_of("containers-1").module == "containers"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "A very small course"', "title = ", "line 1"),
        ('stem = "01-mini"', 'stem = "mini"', "is not NN-topic"),
        ('stem = "01-mini"', 'stem = "09-mini"', "part 1 does not list 09-mini"),
        ('id = "mini-1"', 'id = "maxi-1"', "is not mini-N"),
        ('id = "mini-2"', 'id = "mini-1"', "the exercise mini-1 stands twice"),
        ("minutes = 2", 'minutes = "two"', "`minutes` of 01-mini is 'two', not int"),
        ("needs = []\nclaim", 'needs = ["gpu"]\nclaim', "needs `gpu`"),
        ('hints = ["Which file?"', 'hints = [""', "holds something that is no text"),
        ("claim =", "claims =", "`claim` of 01-mini is None"),
    ],
)
def test_what_does_not_fit_is_named(mini: Path, old: str, new: str, said: str) -> None:
    file = mini / "course.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    before = file.read_bytes()
    with pytest.raises(CourseError) as caught:
        manifest.load()
    assert said in str(caught.value) and str(file) in str(caught.value)
    assert file.read_bytes() == before


def test_a_missing_manifest_is_named(mini: Path) -> None:
    (mini / "course.toml").unlink()
    with pytest.raises(CourseError, match=r"course\.toml is missing"):
        manifest.load()


def test_the_map_links_what_is_written_only(mini: Path) -> None:
    text = manifest.course_map(manifest.load(paths.ROOT / "course.toml"))
    assert "(notebooks/01-mini.ipynb)" in text and "(labs/01-mini.ipynb)" in text
    assert "02-later *(to come)*" in text
