"""course.learner.start_page: true after every change, and never over the learner's own."""

from __future__ import annotations

from pathlib import Path

from course.core import manifest, paths
from course.exercises.kit import start
from course.learner import notebooks, progress
from course.learner import start_page as start_page_


def start_page() -> str:
    return (paths.work() / start_page_.NAME).read_text(encoding="utf-8")


def go_on() -> str:
    return next(line for line in start_page().splitlines() if line.startswith("**"))


def add_row() -> None:
    progress.add_row("c", lesson="01-mini", measured="1", conditions="x", verdict="holds")


def test_it_is_there_with_the_first_copies(mini: Path) -> None:
    notebooks.ensure_copies(manifest.load())
    text = start_page()
    assert text.startswith(
        "# A very small course\n\n**Begin: [Write a word into a file](notebooks/01-mini"
    )
    assert "0 of 2 exercises done, 0 of 1 claims measured." in text
    assert "| · to do | [mini-1](labs/01-mini.ipynb): The file holds the word | 1 |" in text
    for lesson in manifest.load().lessons:
        assert (paths.work() / "notebooks" / f"{lesson.stem}.ipynb").exists()


def test_the_course_itself_shows_what_is_to_come_and_links_nothing_that_is_not_there() -> None:
    course = manifest.load()
    text = start_page_.page(course, {"exercises": {}, "ledger": {}})
    written = {lesson.stem for lesson in course.lessons}
    for part in course.parts:
        assert f"## Part {part.id}: {part.title}" in text
        for stem in part.lessons:
            assert stem in text
            assert (f"(notebooks/{stem}.ipynb)" in text) == (stem in written)
            assert (f"(labs/{stem}.ipynb)" in text) == (stem in written)


def test_it_follows_the_learner_from_the_first_lesson_to_the_last_exercise(mini: Path) -> None:
    notebooks.ensure_copies(manifest.load())
    add_row()
    assert "| ✓ measured | **[01-mini: Write a word into a file](notebooks/01-mini" in start_page()
    assert go_on() == "**Go on: [mini-1: The file holds the word](labs/01-mini.ipynb)**"
    start.begin("mini-1")
    assert "| … started | [mini-1]" in start_page()
    progress.record("mini-1", passed=True, found={})
    assert "| ✓ done | [mini-1]" in start_page()
    assert go_on() == "**Go on: [mini-2: The file is no link](labs/01-mini.ipynb)**"
    progress.record("mini-2", passed=True, found={})
    assert go_on().startswith("**You have done all that is there.**")
    start.goto("mini-1")
    assert go_on().startswith("**Go on: [mini-1:")


def test_who_began_the_lab_is_not_sent_back_to_the_lesson(mini: Path) -> None:
    start.begin("mini-2")
    assert go_on().startswith("**Go on: [mini-1:")


def test_a_page_of_the_learners_own_is_left_alone(mini: Path) -> None:
    paths.work().mkdir(parents=True)
    page = paths.work() / start_page_.NAME
    page.write_text("# mine\n")
    start.begin("mini-1")
    assert page.read_text() == "# mine\n"


def test_what_was_written_into_it_is_saved_before_it_is_written_anew(mini: Path) -> None:
    notebooks.ensure_copies(manifest.load())
    page = paths.work() / start_page_.NAME
    page.write_text("my note\n" + page.read_text())
    start.begin("mini-1")
    assert "my note" not in start_page() and "… started" in start_page()
    saved = list((paths.work() / ".saved").glob(f"*/{start_page_.NAME}"))
    assert [s.read_text().splitlines()[0] for s in saved] == ["my note"]
    progress.record("mini-1", passed=True, found={})
    assert len(list((paths.work() / ".saved").glob(f"*/{start_page_.NAME}"))) == 1
