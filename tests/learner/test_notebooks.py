"""course.learner.notebooks: nothing of the learner's is ever lost."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nbformat
import pytest

from course.core import manifest, paths
from course.core.errors import CourseError
from course.core.process import CommandError, FakeRunner
from course.dev import build
from course.learner import notebooks


def edit_source(root: Path, old: str, new: str) -> None:
    file = root / "content" / "01-mini.md"
    file.write_text(file.read_text().replace(old, new))
    build.write(root)


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
