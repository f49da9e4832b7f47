"""The learner's folder cannot be written, or its disk is full: one message, nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import course as course_
from course.core import environment, manifest, paths
from course.core.errors import CourseError
from course.exercises.kit import start

EXERCISE = manifest.load().lessons[0].exercises[0].id
pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mkfs.ext4"), reason="mounting needs root on Linux"
)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 8 MB of the learner's, with an exercise on it that has been begun."""
    image, folder = tmp_path / "disk", tmp_path / "mnt"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        monkeypatch.setenv("COURSE_WORK", str(folder / "work"))
        for name, value in environment.environment().items():
            if name != "COURSE_WORK":
                monkeypatch.setenv(name, value)
        start.begin(EXERCISE)
        (paths.work() / EXERCISE / "mine.txt").write_text("mine")
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def course(*words: str) -> str:
    """What the command says, which must not be a traceback."""
    argv = [sys.executable, "-m", "course.cli", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr
    return (done.stdout + done.stderr) if done.returncode else ""


COMMANDS = [("hint", EXERCISE), ("check", EXERCISE), ("goto", EXERCISE), ("update",)]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda w: w[0])
def test_a_folder_that_is_read_only_is_said_to_be(disk: Path, words: tuple[str, ...]) -> None:
    before = (paths.work() / "progress.json").read_bytes()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    said = course(*words)
    assert "Read-only file system" in said and "try:" in said, said
    assert (paths.work() / "progress.json").read_bytes() == before
    assert (paths.work() / EXERCISE / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("words", COMMANDS, ids=lambda w: w[0])
def test_a_full_disk_is_said_to_be_and_nothing_is_lost(disk: Path, words: tuple[str, ...]) -> None:
    before = (paths.work() / "progress.json").read_bytes()
    with pytest.raises(OSError, match="No space"), (disk / "ballast").open("wb", 0) as ballast:
        while True:
            ballast.write(b"x" * 512)
    said = course(*words)
    assert "the disk is full" in said and "try:" in said, said
    assert (paths.work() / "progress.json").read_bytes() == before
    assert (paths.work() / EXERCISE / "mine.txt").read_text() == "mine"
    assert not list(paths.work().glob(".part-*"))
    (disk / "ballast").unlink()
    assert course("hint", EXERCISE) == ""  # and with space again it goes on


def test_in_a_notebook_too_it_is_one_message(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for call in (
        lambda: course_.hint(EXERCISE),
        lambda: course_.predict("x", "x", unit="s", value=1),
    ):
        with pytest.raises(CourseError, match="Read-only file system"):
            call()
