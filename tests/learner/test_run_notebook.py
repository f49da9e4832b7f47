"""course.learner.run_notebook: a notebook to its end, and how it fails."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.core.errors import CourseError
from course.learner import run_notebook


def test_an_error_in_a_cell_shows_no_traceback(mini: Path) -> None:
    cells = [
        new_code_cell("import course\ncourse.check('mini-7')"),
        new_code_cell("%%bash -euo pipefail\nfalse\necho on"),
        new_code_cell("from course import begin, check\nbegin('mini-1')\ncheck('mini-1')"),
    ]
    # The kernel has the course of this clone, so the mini course is put in its place there too.
    cells.insert(
        0,
        new_code_cell(
            f"import pathlib, sys; sys.path.insert(0, {str(Path.cwd())!r})\n"
            f"from course.core import paths; paths.ROOT = pathlib.Path({str(mini)!r})\n"
            "import tests.mini_course.exercises"
        ),
    )
    done = run_notebook.run(new_notebook(cells=cells), mini, allow_errors=True)
    error = done.cells[1].outputs[0]
    assert error.output_type == "error"
    assert "no exercise is called `mini-7`" in "".join(error.traceback)
    assert "Traceback" not in "".join(error.traceback)
    assert done.cells[2].outputs[-1].ename == "CalledProcessError"
    assert done.cells[3].outputs[0].data["text/plain"].startswith("✗ mini-1")
    assert "course-check" in done.cells[3].outputs[0].data["text/html"]


def test_a_cell_that_fails_ends_a_headless_lesson_with_its_reason(mini: Path) -> None:
    file = mini / "x.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("print('one')\n1 / 0")]), file)
    with pytest.raises(CourseError, match="ZeroDivisionError"):
        run_notebook.lesson(file)
