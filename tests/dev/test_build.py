"""course.dev.build: sources to notebooks, the same bytes every time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course.core.errors import CourseError
from course.dev import build
from course.views.cards import passed_html, passed_text

LAB = Path("content/01-mini.lab.md")


def cells(root: Path, name: str) -> dict[str, nbformat.NotebookNode]:
    return {c["id"]: c for c in nbformat.read(root / name, as_version=4).cells}


def test_notebooks_are_valid_and_their_cells_have_stable_ids(mini: Path) -> None:
    for folder in ("notebooks", "labs", "solutions"):
        nbformat.validate(nbformat.read(mini / folder / "01-mini.ipynb", as_version=4))
    assert list(cells(mini, "notebooks/01-mini.ipynb")) == [
        "mini-1",
        "mini-2",
        "mini-3",
        "mini-next",
    ]
    lab, solved = cells(mini, "labs/01-mini.ipynb"), cells(mini, "solutions/01-mini.ipynb")
    # One cell, one id, in both views.
    assert set(lab) == set(solved) - {"mini-lab-7"}


def test_lesson_and_lab_are_linked_above_and_below(mini: Path) -> None:
    lesson, lab = cells(mini, "notebooks/01-mini.ipynb"), cells(mini, "labs/01-mini.ipynb")
    assert lesson["mini-1"].source.splitlines()[:4] == [
        "# Write a word into a file",
        "",
        "*Lesson 1 of 2 · 2 minutes · [lab](../labs/01-mini.ipynb) · [course map](../README.md)*",
        "",
    ]
    assert lesson["mini-next"].source == (
        "**Next**: [the lab](../labs/01-mini.ipynb), 2 exercises, 2 minutes. "
        "After it: 02-later, which is to come."
    )
    assert "[lesson](../notebooks/01-mini.ipynb)" in lab["mini-lab-1"].source
    assert lab["mini-lab-next"].source == "**Next**: 02-later, which is to come."


def test_the_next_lesson_is_linked_once_it_is_written(mini: Path) -> None:
    file = mini / "course.toml"
    text = file.read_text()
    entry = text[text.index("[[lessons]]") : text.index("[[lessons.exercises]]")]
    file.write_text(f"{text}\n{entry.replace('01-mini', '02-later')}")
    for suffix in (".md", ".lab.md"):
        (mini / "content" / f"02-later{suffix}").write_text("# More\n")
    build.write(mini)
    later = "[02-later: Write a word into a file](../notebooks/02-later.ipynb)"
    assert cells(mini, "labs/01-mini.ipynb")["mini-lab-next"].source == f"**Next**: {later}."
    below = cells(mini, "notebooks/01-mini.ipynb")["mini-next"].source
    assert below.endswith(f"After it: {later}.")
    last = cells(mini, "labs/02-later.ipynb")["later-lab-next"].source
    assert last == "This was the last lab: [course map](../README.md)."


def test_a_source_without_a_title_is_refused(mini: Path) -> None:
    lesson = mini / "content" / "01-mini.md"
    lesson.write_text(lesson.read_text().replace("# Write", "Write"))
    with pytest.raises(CourseError, match=r"01-mini\.md: no title"):
        build.build(mini)


def test_a_solution_region_becomes_a_task_at_its_indentation(mini: Path) -> None:
    lab, solved = cells(mini, "labs/01-mini.ipynb"), cells(mini, "solutions/01-mini.ipynb")
    assert lab["mini-lab-4"].source.splitlines()[2:] == ["  # TODO: write the word", "done"]
    assert '  echo word > "$folder/word.txt"' in solved["mini-lab-4"].source
    assert "SOLUTION" not in solved["mini-lab-4"].source


def test_checks_are_armed_in_solutions_and_bare_in_labs(mini: Path) -> None:
    solved = cells(mini, "solutions/01-mini.ipynb")["mini-lab-5"]
    assert solved.execution_count == 1
    assert "nbval-check-output" in solved.metadata.tags
    assert solved.outputs[0]["data"] == {
        "text/plain": passed_text("mini-1", "The file holds the word"),
        "text/html": passed_html("mini-1", "The file holds the word"),
    }
    bare = cells(mini, "labs/01-mini.ipynb")["mini-lab-5"]
    assert bare.outputs == [] and bare.execution_count is None


def test_the_bytes_do_not_depend_on_where_and_how_it_is_built(mini: Path, tmp_path: Path) -> None:
    here = {str(path): content for path, content in build.build(mini).items()}
    code = (
        "import sys, pathlib, hashlib; from course.dev import build; "
        "made = build.build(pathlib.Path(sys.argv[1])); "
        "print({str(p): hashlib.sha256(c).hexdigest() for p, c in made.items()})"
    )
    seen = set()
    for seed, locale in (("1", "C"), ("2", "C.UTF-8")):
        env = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale, "TZ": "Asia/Tokyo"}
        done = subprocess.run(
            [sys.executable, "-c", code, str(mini)],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(done.stdout)
    import hashlib

    expected = {path: hashlib.sha256(content).hexdigest() for path, content in here.items()}
    assert seen == {f"{expected}\n"}


def test_a_cell_that_only_draws_or_sets_up_opens_collapsed(mini: Path) -> None:
    lesson = mini / "content" / "01-mini.md"
    lesson.write_text(lesson.read_text().replace("[setup]", "[collapsed]", 1))
    build.write(mini)
    made = cells(mini, "notebooks/01-mini.ipynb")
    assert made["mini-2"].metadata.jupyter == {"source_hidden": True}
    assert "jupyter" not in made["mini-3"].metadata


def test_writing_again_changes_nothing_and_work_is_never_touched(mini: Path) -> None:
    (mini / "work").mkdir()
    (mini / "work" / "mine.ipynb").write_text("mine")
    assert build.write(mini) == []
    stale = mini / "labs" / "09-gone.ipynb"
    stale.write_text("{}")
    assert build.write(mini) == [Path("labs/09-gone.ipynb")]
    assert (mini / "work" / "mine.ipynb").read_text() == "mine"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  # END SOLUTION\n", "", "BEGIN SOLUTION without an END"),
        ("  # BEGIN SOLUTION: write the word\n", "", "END SOLUTION without a BEGIN"),
        ("  echo word", "  # BEGIN SOLUTION\n  echo word", "a solution region inside another"),
        (":tags: [task]", ":tags: [taks]", "unknown tag taks"),
        ('check("mini-1")', 'check("mini-1", wait=3)', "a check cell holds"),
        ('check("mini-1")', 'check("mini-9")', "no exercise is called `mini-9`"),
    ],
)
def test_errors_in_a_source_are_named(mini: Path, old: str, new: str, said: str) -> None:
    text = (mini / LAB).read_text()
    assert old in text
    (mini / LAB).write_text(text.replace(old, new, 1))
    with pytest.raises(CourseError) as caught:
        build.build(mini)
    assert said in caught.value.saw
    if "SOLUTION" in said or "region" in said or "tag" in said:
        assert "01-mini.lab.md, line " in caught.value.saw


@pytest.mark.parametrize("body", ["a: 1\n{}b: 2", "FROM x\n{}CMD y", "x = 1\n{}y = 2"])
def test_regions_work_in_every_language_with_hash_comments(body: str) -> None:
    region = "# BEGIN SOLUTION: do\nsecret\n# END SOLUTION\n"
    assert build.strip(body.format(region), Path("x")) == body.format("# TODO: do\n")


def test_a_missing_source_is_named(mini: Path) -> None:
    (mini / LAB).unlink()
    with pytest.raises(CourseError, match=r"01-mini\.lab\.md is missing"):
        build.build(mini)
