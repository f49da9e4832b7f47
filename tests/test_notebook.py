"""course.notebook: what lessons call, in a kernel and without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import course
import course.measure
import course.views
from course import notebook
from course.core import environment, locks, manifest, paths, steps
from course.core.errors import CourseError
from course.core.steps import Step, Steps
from course.learner import ledger, progress
from course.views import pictures


@pytest.fixture(autouse=True)
def in_lesson_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_lesson", "01-mini")
    monkeypatch.setattr(pictures, "_latest", None)


def running_engine() -> None:
    env = {"DOCKER_HOST": "unix:///x", "REGISTRY": "localhost:5001"}
    environment.save(environment.Engine("kind", env, ["containers"], {}))


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


def test_the_form_refuses_what_is_no_number_and_stays_open(mini: Path) -> None:
    form = notebook.predict("mini-s", "How long?", unit="s")
    form._handle_custom_msg({"number": "quick"}, [])
    assert form.said.startswith("✗ `quick` is not a number") and not form.kept
    form._handle_custom_msg({"number": "2 s"}, [])
    assert progress.predicted("mini-s") == 2 and form.kept


def test_a_measurement_is_shown_against_the_prediction(mini: Path) -> None:
    notebook.predict("mini-s", "How long?", unit="s", value=10)
    shown = notebook.compare("mini-s", 35.0, unit="s")
    assert repr(shown) == "You said 10 s; measured 35 s, 3.5 times that."
    assert "width:28.6%" in shown.markup and "width:100.0%" in shown.markup
    assert repr(notebook.compare("mini-s", 10.2, unit="s")).endswith("measured 10.2 s, within 5 %.")
    assert progress.progress()["predictions"]["mini-s"]["measured"] == 10.2


def test_run_all_works_without_a_prediction(mini: Path) -> None:
    notebook.predict("mini-s", "How long?", unit="s")
    shown = notebook.compare("mini-s", 3, unit="s")
    assert repr(shown) == "You made no prediction; measured 3 s."
    assert "you said" not in shown.markup


def test_a_prediction_after_the_measurement_is_kept_as_such(mini: Path) -> None:
    notebook.compare("mini-s", 3, unit="s")
    form = notebook.predict("mini-s", "How long?", unit="s")
    form._handle_custom_msg({"number": "3"}, [])
    assert "measured before you said it" in form.said
    assert repr(notebook.compare("mini-s", 3, unit="s")).startswith("You said 3 s after measuring")


def test_a_cell_run_alone_after_a_restart_forgets_nothing(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook.predict("mini-s", "How long?", unit="s", value=10)
    monkeypatch.setattr(notebook, "_lesson", "")
    notebook.compare("mini-s", 20, unit="s")
    assert "predicted:  How long? You said 10 s; measured 20 s" in ledger.text(manifest.load())


def test_what_cannot_be_compared_has_no_ratio(mini: Path) -> None:
    notebook.predict("mini-s", "How long?", unit="s", value=0)
    assert repr(notebook.compare("mini-s", 3, unit="s")) == "You said 0 s; measured 3 s."
    shown = notebook.compare("mini-s", 3000, unit="ms")
    assert repr(shown) == "You said 0 s; measured 3000 ms."
    assert "you said" not in shown.markup
    with pytest.raises(CourseError, match="not a number"):
        notebook.compare("mini-s", float("nan"), unit="s")
