"""What an exercise says of facts is in a file of its own; no engine is needed to read it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from course.core import manifest, paths
from course.dev import messages
from tests.messages import containers

FILES = messages.files(paths.ROOT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_message_is_as_in_its_file(path: Path) -> None:
    """After a change of words: course dev messages."""
    assert path.read_text(encoding="utf-8") == FILES[path]


def test_each_file_is_one_of_an_exercise() -> None:
    assert set(Path(__file__).parent.glob("*.txt")) == set(FILES)


def test_each_cause_is_provoked() -> None:
    assert list(messages.problems(paths.ROOT)) == []


def test_a_cause_that_nothing_provokes_is_named(tmp_path: Path) -> None:
    exercises = "src/course/exercises"
    shutil.copytree(paths.ROOT / exercises, tmp_path / exercises)
    (tmp_path / "tests" / "messages").mkdir(parents=True)
    for path, text in FILES.items():
        target = tmp_path / path.relative_to(paths.ROOT)
        target.write_text(re.sub(r"# gone: .*\n", "", text))
    (found,) = messages.problems(tmp_path)
    assert found.startswith("containers-3: no facts in tests/messages/ provoke `gone`")


def test_what_is_right_is_shown_with_its_notes() -> None:
    exercise = manifest.load().exercise("containers-1")
    text = messages.rendered(exercise, {"Node 24": containers.RUNTIME})
    assert text.splitlines() == [
        "# right: Node 24",
        "✓ containers-1 · The slug service runs from its image alone, options included",
        "  it ran under Node v24.11.1, whatever this machine has",
        "  the image holds 231 MB to run a program of 1 kB",
    ]
