"""What the kit makes of an exercise that declares its start and observes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from course.core.errors import CourseError
from course.exercises.kit import check as check_
from course.exercises.kit import draw, exercise, start
from course.exercises.kit.declared import Declared, Start
from course.exercises.kit.draw import Draw
from course.exercises.kit.exercise import ExerciseCode
from course.exercises.kit.facts import Facts, Observation, judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong


@dataclass(frozen=True)
class Word(Facts):
    """A word that was read."""

    word: str

    def wrong(self) -> Wrong | None:
        """Say that it is another word."""
        if self.word != "word":
            return Wrong("other-word", saw=f"`{self.word}`", want="`word`", try_="cat", timed=True)
        return None

    def notes(self) -> Iterator[str]:
        """Say that it is there."""
        yield "the word is there"


class Words:
    """An exercise of one stage for each word in its file."""

    def begin(self, lab: Lab) -> None:
        """Add a word of this learner's to the files."""
        lab.write("more.txt", (lab.folder() / "words.txt").read_text().upper())

    def observe(self, lab: Lab) -> Observation:
        """Read them."""
        for word in lab.read("words.txt").split():
            yield Word(word)


@pytest.fixture
def words(mini: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The exercise in place of mini-1, and its folder of start files."""
    monkeypatch.setattr(sys.modules[__name__], "__file__", str(mini / "words.py"))
    files = mini / "files" / "mini-1"
    (files / "bin").mkdir(parents=True)
    (files / "words.txt").write_text("wrod\n")
    (files / "bin" / "run.sh").write_text("echo\n")
    (files / "bin" / "run.sh").chmod(0o755)
    monkeypatch.setitem(
        exercise._found, "mini-1", Declared("mini-1", Words(), Start(), "other-word")
    )
    return files


def test_each_stage_is_judged_before_the_next_begins() -> None:
    seen = []

    def observe() -> Observation:
        for word in ("word", "wrod", "never"):
            seen.append(word)
            yield Word(word)

    lab = Lab("mini-1")
    with pytest.raises(Wrong, match="wrod"):
        judge(lab, observe())
    assert seen == ["word", "wrod"]
    assert lab.notes == ["the word is there"]


def test_a_wrong_stage_ends_what_runs_and_what_runs_may_name_the_cause_behind() -> None:
    ended = []

    @contextlib.contextmanager
    def service() -> Iterator[None]:
        try:
            yield
        except Wrong as wrong:
            raise wrong.at("at its second start") from None
        finally:
            ended.append("service")

    def observe() -> Observation:
        with service():
            yield Word("wrod")

    with pytest.raises(Wrong) as caught:
        judge(Lab("mini-1"), observe())
    assert caught.value.saw == "at its second start, `wrod`" and caught.value.timed
    assert ended == ["service"]


def test_an_observation_cannot_hide_what_is_wrong() -> None:
    def observe() -> Observation:
        with contextlib.suppress(Wrong):
            yield Word("wrod")
        yield Word("word")

    with pytest.raises(Wrong, match="other-word"):
        judge(Lab("mini-1"), observe())


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


def test_nothing_changed_is_wrong_for_the_cause_that_is_declared(words: Path) -> None:
    start.begin("mini-1")
    assert check_.check("mini-1").cause == exercise.start_cause("mini-1") == "other-word"


def test_an_exercise_that_checks_by_itself_declares_no_cause(mini: Path) -> None:
    assert isinstance(exercise.find("mini-2"), ExerciseCode)
    with pytest.raises(CourseError, match="mini-2 does not say"):
        exercise.start_cause("mini-2")


@pytest.mark.parametrize(("busy", "state"), [(1e-9, "could not judge"), (60.0, "failed")])
def test_what_a_busy_machine_may_have_caused_is_judged_on_one_that_is_not(
    words: Path, monkeypatch: pytest.MonkeyPatch, busy: float, state: str
) -> None:
    monkeypatch.setattr(check_, "_BUSY", busy)
    start.begin("mini-1")
    assert check_.check("mini-1").state == state


def test_the_seed_of_what_was_drawn_is_shown_and_draws_the_same_again(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Words, "observe", lambda _, lab: iter_word(lab.draw.word()))
    start.begin("mini-1")
    first = check_.check("mini-1")
    assert f"the seed {first.seed}" in repr(check_.explain("mini-1"))
    monkeypatch.setenv(draw.SEED, str(first.seed))
    assert check_.check("mini-1").saw == first.saw


def iter_word(word: str) -> Observation:
    """Yield one word."""
    yield Word(word)


def test_what_is_drawn_differs_from_check_to_check() -> None:
    assert len({Draw().word(12) for _ in range(20)}) == 20
    assert {Draw(7).number(1, 6) for _ in range(20)} == {Draw(7).number(1, 6)}


def test_a_delay_is_longer_than_the_answers_own_and_not_without_end() -> None:
    drawn = [Draw(seed).past(3.0) for seed in range(50)]
    assert min(drawn) >= 5.0 and max(drawn) <= 9.0 and len(set(drawn)) == 50
    assert Draw(1).past(600) == draw.LONGEST
