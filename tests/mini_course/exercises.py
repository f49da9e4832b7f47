"""The exercises of the mini course: files only."""

from __future__ import annotations

from course.exercises.kit.exercise import exercise
from course.exercises.kit.lab import World
from course.exercises.kit.verdict import Wrong


@exercise("mini-1")
class Word:
    """A word in a file."""

    def begin(self, world: World) -> None:
        """An empty file, and a word made up."""
        world.write("word.txt", "")
        world.remember("word", "word")

    def check(self, world: World) -> None:
        """Read the file."""
        with world.observe("a look"):
            text = (world.folder() / "word.txt").read_text().strip()
        if text != world.recall("word"):
            raise Wrong("wrong-word", saw=f"`{text}`", want="`word`", try_="cat word.txt")
        world.note("the word is there")


@exercise("mini-2")
class NoLink(Word):
    """The same, as a file of its own."""

    def check(self, world: World) -> None:
        """Look at the file itself."""
        if (world.folder() / "word.txt").is_symlink():
            raise Wrong("link", saw="a link", want="a file", try_="ls -l")
        super().check(world)
