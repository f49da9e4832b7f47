"""The exercises of the mini course: files only."""

from __future__ import annotations

from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong


@exercise("mini-1")
class Word:
    """A word in a file."""

    def begin(self, lab: Lab) -> None:
        """An empty file, and a word made up."""
        lab.write("word.txt", "")
        lab.remember("word", "word")

    def check(self, lab: Lab) -> None:
        """Read the file."""
        with lab.observe("a look"):
            text = (lab.folder() / "word.txt").read_text().strip()
        if text != lab.recall("word"):
            raise Wrong("wrong-word", saw=f"`{text}`", want="`word`", try_="cat word.txt")
        lab.note("the word is there")


@exercise("mini-2")
class NoLink(Word):
    """The same, as a file of its own."""

    def check(self, lab: Lab) -> None:
        """Look at the file itself."""
        if (lab.folder() / "word.txt").is_symlink():
            raise Wrong("link", saw="a link", want="a file", try_="ls -l")
        super().check(lab)
