"""course.notebook and course.views.pictures: what lessons call, in a kernel and without one."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import course
import course.measure
import course.views
from course import notebook
from course.core import environment, locks, paths, steps
from course.core.errors import CourseError
from course.core.steps import Step, Steps
from course.learner import progress, run_notebook
from course.views import pictures


def running_engine() -> None:
    env = {"DOCKER_HOST": "unix:///x", "REGISTRY": "localhost:5001"}
    environment.save(environment.Engine("kind", env, ["containers"], {}))


@pytest.mark.parametrize("face", [course, course.measure, course.views])
def test_every_public_name_of_a_face_is_there(face: ModuleType) -> None:
    for name in face.__all__:
        assert getattr(face, name) is not None
    assert sorted(face._HOMES) == sorted(face.__all__)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AttributeError, match="chekc"):
        course.chekc  # noqa: B018


def test_setup_enters_the_learners_folder_and_says_what_is_ready(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_engine()
    file = mini / "course.toml"
    file.write_text(
        file.read_text().replace("needs = []\nclaim", 'needs = ["containers", "cluster"]\nclaim')
    )
    monkeypatch.setattr(os, "environ", dict(os.environ))
    before = Path.cwd()
    try:
        text = repr(notebook.setup("01-mini"))
        assert Path.cwd() == paths.work()
    finally:
        os.chdir(before)
    assert "✓ containers" in text
    assert "✗ cluster: no cluster is running: course up" in text
    assert os.environ["REGISTRY"] == "localhost:5001"


def test_setup_without_an_engine_says_what_to_do(mini: Path) -> None:
    with pytest.raises(CourseError) as caught:
        notebook.setup("01-mini")
    assert caught.value.try_.startswith("course up")


def test_what_is_being_prepared_is_said(home: Path) -> None:
    steps.write(
        Steps([Step("c", "A cluster", "running", expected=600)], process=locks.process_key())
    )
    assert notebook._readiness("cluster") == (
        "… cluster is being prepared: A cluster, about 10 min left"
    )


def test_waiting_for_what_nobody_prepares_ends_at_once(home: Path) -> None:
    with pytest.raises(CourseError, match="no cluster is running"):
        notebook.wait_for("cluster")


def test_waiting_names_why_the_preparation_failed(home: Path) -> None:
    steps.write(
        Steps(
            [Step("c", "A cluster", "failed")],
            process=locks.process_key(),
            error="the disk is full",
        )
    )
    with pytest.raises(CourseError, match="the disk is full"):
        notebook.wait_for("cluster")


def test_waiting_ends_when_it_is_there(home: Path) -> None:
    running_engine()
    assert repr(notebook.wait_for("containers")) == "✓ containers"


def test_an_exercise_begins_once(mini: Path) -> None:
    assert "start state set, files in" in repr(course.begin("mini-1"))
    (paths.work() / "mini-1" / "word.txt").write_text("mine")
    assert repr(course.begin("mini-1")).endswith("are as you left them")
    assert (paths.work() / "mini-1" / "word.txt").read_text() == "mine"


def test_hints_fold_in_a_browser(mini: Path) -> None:
    notebook.hint("mini-1")
    shown = notebook.hint("mini-1")
    assert shown.markup.count("<details") == 2
    assert "<summary>Hint 2</summary>echo the word" in shown.markup


def test_a_prediction_is_asked_for_and_then_shown(mini: Path) -> None:
    form = notebook.predict("size", "How large?", unit="MB")
    assert repr(form) == "How large? (MB)" and not form.kept
    form._handle_custom_msg({"number": "12"}, [])
    assert progress.predicted("size") == 12
    assert form.said == "You said: 12 MB. Now measure." and form.kept
    form._handle_custom_msg({"number": "13"}, [])
    assert progress.predicted("size") == 12
    assert repr(notebook.predict("size", "How large?", unit="MB")) == "How large?  You said: 12 MB"
    assert notebook.predicted("size") == 12


def test_a_picture_carries_its_text_and_its_table() -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.bar(["a"], [1])
    shown = pictures.picture(figure, alt="one <bar>", header=("x", "s"), rows=[("a", 1)])
    assert repr(shown) == "x  s\na  1"
    assert "alt='one &lt;bar&gt;'" in shown.markup and "<td>a</td>" in shown.markup
    assert plt.get_fignums() == []


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
