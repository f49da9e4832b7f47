"""The exercises of the mini course: files only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course.exercises.kit.exercise import exercise
from course.exercises.kit.facts import Facts, Observation
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong


@dataclass(frozen=True)
class Read(Facts):
    """What a file holds."""

    text: str
    word: str  # that it should hold

    def wrong(self) -> Wrong | None:
        """Say that it is another word."""
        if self.text != self.word:
            return Wrong("wrong-word", saw=f"`{self.text}`", want="`word`", try_="cat word.txt")
        return None

    def notes(self) -> Iterator[str]:
        """Say that it is there."""
        yield "the word is there"


@dataclass(frozen=True)
class Own(Facts):
    """Whether the file is a link."""

    link: bool

    def wrong(self) -> Wrong | None:
        """Say that it is one."""
        return Wrong("link", saw="a link", want="a file", try_="ls -l") if self.link else None


@exercise("mini-1", start_cause="wrong-word")
class Word:
    """A word in a file."""

    def begin(self, lab: Lab) -> None:
        """An empty file, and a word made up."""
        lab.write("word.txt", "")
        lab.remember("word", "word")

    def observe(self, lab: Lab) -> Observation:
        """Read the file."""
        with lab.observe("a look"):
            text = (lab.folder() / "word.txt").read_text().strip()
        yield Read(text, lab.recall("word"))


@exercise("mini-2", start_cause="wrong-word")
class NoLink(Word):
    """The same, as a file of its own."""

    def observe(self, lab: Lab) -> Observation:
        """Look at the file itself."""
        yield Own((lab.folder() / "word.txt").is_symlink())
        yield from super().observe(lab)
