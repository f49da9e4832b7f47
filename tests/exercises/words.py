"""An exercise that observes, for the tests of the kit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from course.exercises.kit.facts import Facts, Observation
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
