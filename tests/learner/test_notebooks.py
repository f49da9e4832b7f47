"""course.learner.notebooks: nothing of the learner's is ever lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from course.core import manifest, paths
from course.core.errors import CourseError
from course.core.process import CommandError, FakeRunner
from course.dev import build
from course.exercises.kit import exercise, start
from course.exercises.kit.lab import Lab
from course.learner import hints, notebooks, progress
from course.learner.saves import save
from tests.until import until


def edit_source(root: Path, old: str, new: str) -> None:
    file = root / "content" / "01-mini.md"
    file.write_text(file.read_text().replace(old, new))
    build.write(root)


def test_begin_sets_the_start_state_once(mini: Path) -> None:
    word = paths.work() / "mini-1" / "word.txt"
    assert "start state set" in start.begin("mini-1")
    word.write_text("mine")
    assert "as you left them" in start.begin("mini-1")
    assert word.read_text() == "mine"


def test_the_current_exercise_is_the_one_that_was_begun_last(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CourseError, match="no exercise was begun yet") as caught:
        progress.current()
    assert "course goto" in caught.value.try_
    start.begin("mini-1")
    assert progress.current() == "mini-1"
    start.goto("mini-2")
    progress.record("mini-1", passed=True, found={})
    assert progress.current() == "mini-2"
    start.begin("mini-1")  # as it was, and the one that is worked on again
    assert progress.current() == "mini-1"

    def fails(_: Lab) -> None:
        raise CourseError("no Docker")

    monkeypatch.setattr(exercise.find("mini-2"), "begin", fails)
    with pytest.raises(CourseError):
        start.goto("mini-2")
    assert progress.current() == "mini-1"


@pytest.mark.parametrize("state", ["new", "started", "passed"])
def test_goto_works_from_any_state_and_saves_first(mini: Path, state: str) -> None:
    word = paths.work() / "mini-1" / "word.txt"
    if state != "new":
        start.begin("mini-1")
        word.write_text("mine")
    if state == "passed":
        progress.record("mini-1", passed=True, found={})
    text = start.goto("mini-1")
    assert word.read_text() == "" and progress.state("mini-1") == "started"
    if state != "new":
        saved = list((paths.work() / ".saved").glob("*/mini-1/word.txt"))
        assert [s.read_text() for s in saved] == ["mine"]
        assert str(saved[0].parents[1]) in text


def test_two_saves_in_one_second_are_two(mini: Path) -> None:
    for text in ("a", "b"):
        (paths.work() / "x").mkdir(parents=True, exist_ok=True)
        (paths.work() / "x" / "f").write_text(text)
        save([paths.work() / "x"])
    saved = sorted((paths.work() / ".saved").glob("*/x/f"))
    assert sorted(s.read_text() for s in saved) == ["a", "b"]
    assert save([paths.work() / "nothing"]) is None


def test_a_start_state_that_breaks_off_is_not_started(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(lab: Lab) -> None:
        lab.write("half.txt", "half")
        raise KeyboardInterrupt

    monkeypatch.setattr(exercise.find("mini-1"), "begin", interrupted)
    with pytest.raises(KeyboardInterrupt):
        start.begin("mini-1")
    assert progress.state("mini-1") == "new"
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("text", "said"), [('{\n "exercises": {,}\n}', "line 2"), ("[]", "not an object")]
)
def test_a_progress_file_that_does_not_parse_is_named_and_kept(
    mini: Path, text: str, said: str
) -> None:
    file = paths.work() / "progress.json"
    file.parent.mkdir()
    file.write_text(text)
    for call in (start.begin, hints.hint):
        with pytest.raises(CourseError) as caught:
            call("mini-1")
        assert str(file) in caught.value.saw and said in caught.value.saw
    assert file.read_text() == text


def test_a_killed_process_leaves_a_whole_progress_file(mini: Path) -> None:
    code = (
        "from course.learner import progress\n"
        "for i in range(100000): progress.remember('mini-1', f'n{i % 50}', 'x' * 500)\n"
    )
    for _ in range(5):
        child = subprocess.Popen([sys.executable, "-c", code], env=dict(os.environ))
        before = (paths.work() / "progress.json").exists()
        until((paths.work() / "progress.json").exists, "the first write")
        time.sleep(0.8 if before else 0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()
        data = json.loads((paths.work() / "progress.json").read_text())
        assert data["exercises"]["mini-1"]["facts"]
    progress.remember("mini-1", "after", "1")  # the lock went with the process
    assert progress.recall("mini-1", "after") == "1"


def test_processes_that_write_together_lose_nothing(mini: Path) -> None:
    # Programs, not forks of this process: a fork may take a lock with it that nobody opens.
    code = (
        "import sys\n"
        "from course.learner import progress\n"
        "for i in range(20): progress.remember('mini-1', f'{sys.argv[1]}-{i}', 'x')"
    )
    children = [subprocess.Popen([sys.executable, "-c", code, str(n)]) for n in range(4)]
    assert [child.wait(timeout=60) for child in children] == [0] * 4
    facts = progress.progress()["exercises"]["mini-1"]["facts"]
    assert len(facts) == 80


def test_copies_are_made_once(mini: Path) -> None:
    course = manifest.load()
    notebooks.ensure_copies(course)
    copy = paths.work() / "notebooks" / "01-mini.ipynb"
    copy.write_text(copy.read_text() + " ")
    before = copy.read_bytes()
    notebooks.ensure_copies(course)
    assert copy.read_bytes() == before
    assert (paths.work() / "labs" / "01-mini.ipynb").exists()


def test_a_copy_that_was_only_run_is_updated(mini: Path) -> None:
    notebooks.ensure_copies(manifest.load())
    copy = paths.work() / "notebooks" / "01-mini.ipynb"
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]
    notebook.cells[1].execution_count = 7
    nbformat.write(notebook, copy)
    assert notebooks.update(manifest.load()) == []
    edit_source(mini, "hello", "goodbye")
    said = notebooks.update(manifest.load())
    assert said[0].startswith("updated: work/notebooks/01-mini.ipynb")
    assert "goodbye" in copy.read_text()


def test_a_copy_that_was_edited_is_kept_and_the_new_one_put_beside(mini: Path) -> None:
    notebooks.ensure_copies(manifest.load())
    copy = paths.work() / "notebooks" / "01-mini.ipynb"
    notebook = nbformat.read(copy, as_version=4)
    notebook.cells[1].source = "my own"
    nbformat.write(notebook, copy)
    mine = copy.read_bytes()
    edit_source(mini, "hello", "goodbye")
    said = notebooks.update(manifest.load())
    assert "which you edited" in said[0]
    assert copy.read_bytes() == mine
    assert "goodbye" in copy.with_suffix(".new.ipynb").read_text()
    assert notebooks.update(manifest.load()) == []


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"cells": [{}]}', "\x00"])
def test_a_copy_that_is_no_notebook_is_named_and_left_alone(mini: Path, damaged: str) -> None:
    notebooks.ensure_copies(manifest.load())
    copy = paths.work() / "notebooks" / "01-mini.ipynb"
    copy.write_text(damaged)
    edit_source(mini, "hello", "goodbye")
    with pytest.raises(CourseError, match=r"01-mini\.ipynb: .*(?s:.)*move it away"):
        notebooks.update(manifest.load())
    assert copy.read_text() == damaged


def test_the_learners_orders_is_a_repository_of_its_own(home: Path) -> None:
    folder = notebooks.ensure_orders()
    (folder / "mine.txt").write_text("mine")
    assert notebooks.ensure_orders() == folder
    git = ["git", "-C", str(folder)]
    status = subprocess.run([*git, "status", "--short"], capture_output=True, text=True, check=True)
    assert status.stdout == "?? mine.txt\n"
    assert not (folder / "node_modules").exists() and (folder / "package-lock.json").exists()
    assert not list(paths.work().glob(".orders.*"))


def test_no_setting_of_the_learners_git_is_in_the_way(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = home / "hooks" / "pre-commit"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    settings = home / "gitconfig"
    settings.write_text(
        "[commit]\ngpgsign = true\n[gpg]\nprogram = /bin/false\n"
        f"[core]\nhooksPath = {hook.parent}\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    assert (notebooks.ensure_orders() / ".git").is_dir()


def test_a_repository_that_could_not_be_made_leaves_nothing(home: Path) -> None:
    with pytest.raises(CommandError):
        notebooks.ensure_orders(runner=FakeRunner({"git": 128}))
    assert list(paths.work().iterdir()) == []


def test_hints_come_one_at_a_time_and_survive_a_reset(mini: Path) -> None:
    assert hints.hint("mini-1") == "1. Which file?\n(1 more: course hint mini-1)"
    start.goto("mini-1")
    assert "2. echo the word" in hints.hint("mini-1")
    assert hints.hint("mini-1").endswith("(that was the last one)")


def test_the_solution_comes_when_asked_twice_or_after_success(mini: Path) -> None:
    assert "not passed yet" in hints.solution("mini-1")
    assert 'echo word > "$folder/word.txt"' in hints.solution("mini-1")
    start.begin("mini-2")
    progress.record("mini-2", passed=True, found={})
    assert "pathlib" in hints.solution("mini-2")


def test_the_list_has_the_learners_state(mini: Path) -> None:
    start.begin("mini-2")
    rows = hints.listing(manifest.load())
    assert rows[1] == {
        "id": "mini-2",
        "part": 1,
        "lesson": "01-mini",
        "title": "The file is no link",
        "minutes": 1,
        "needs": [],
        "hints": 2,
        "state": "started",
    }


def test_the_first_prediction_is_kept(mini: Path) -> None:
    assert progress.predicted("size") is None
    progress.predict("size", 10, "MB")
    progress.predict("size", 347, "MB")
    assert progress.predicted("size") == 10


def test_what_an_exercise_needs_must_be_there(mini: Path) -> None:
    file = mini / "course.toml"
    file.write_text(
        file.read_text().replace("minutes = 1\nneeds = []", 'minutes = 1\nneeds = ["cluster"]')
    )
    with pytest.raises(CourseError, match="needs `cluster`: no cluster is running"):
        start.begin("mini-1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_an_os_error(mini: Path) -> None:
    paths.work().mkdir()
    paths.work().chmod(0o500)
    with pytest.raises(PermissionError):
        hints.hint("mini-1")
