"""course.exercises.kit.declared: a start state that is declared."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course.exercises.kit import check as check_
from course.exercises.kit import start
from course.exercises.kit.declared import Start
from course.exercises.kit.lab import Lab
from tests.exercises.words import Words


def test_a_start_state_is_its_files_and_what_its_code_adds(words: Path) -> None:
    start.begin("mini-1")
    folder = Lab("mini-1").folder()
    assert (folder / "words.txt").read_text() == "wrod\n"
    assert (folder / "more.txt").read_text() == "WROD\n"
    assert os.access(folder / "bin" / "run.sh", os.X_OK)
    assert not os.access(folder / "words.txt", os.X_OK)


def test_files_that_nobody_may_write_are_the_learners_to_write(words: Path) -> None:
    (words / "words.txt").chmod(0o444)
    start.begin("mini-1")
    (Lab("mini-1").folder() / "words.txt").write_text("word\n")
    assert check_.check("mini-1").state == "passed"


def test_the_folder_is_built_last_and_each_image_is_free_first(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("rename_existing", "build", "record_start_image"):
        monkeypatch.setattr(Lab, name, lambda _, ref, name=name: done.append(f"{name} {ref}"))
    monkeypatch.setattr(Lab, "push", lambda _, ref, name: done.append(f"push {ref} {name}"))
    monkeypatch.setattr(Words, "begin", lambda *_: done.append("begin"))
    Start(("other:lab",), "word:lab", "word:1.0").set(Lab("mini-1"), words, Words())
    assert done == [
        "rename_existing other:lab",
        "rename_existing word:lab",
        "begin",
        "build word:lab",
        "record_start_image word:lab",
        "push word:lab word:1.0",
    ]
