"""An exercise that declares its start state and observes: what the kit makes of its class."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from course.exercises.kit import facts, start_files

if TYPE_CHECKING:
    from course.exercises.kit.lab import Lab


class Observing(Protocol):
    """What an exercise is: its facts say what is wrong."""

    def observe(self, lab: Lab) -> facts.Observation:
        """Look at the world and yield what was seen, stage by stage."""


@dataclass(frozen=True)
class Start:
    """A start state, as far as it can be declared.

    The exercise's files (`files/<exercise-id>/` beside its module) are copied; then its own `begin`
    does what is more, if it has one; then the folder is built.

    Args:
        makes: names of images that the learner will make: each is free at first.
        image: the image that the folder is built to; it is free at first, too.
        pushed: a name in the registry (`quote:1.0`) under which that image is pushed.
    """

    makes: tuple[str, ...] = ()
    image: str = ""
    pushed: str = ""

    def set(self, lab: Lab, files: Path, code: object) -> None:
        """Set it.

        Args:
            lab: of the exercise.
            files: the folder with its files; there need be none.
            code: the exercise's own, which may have a `begin`.
        """
        for name in (*self.makes, *([self.image] if self.image else [])):
            lab.rename_existing(name)
        for source in sorted(files.rglob("*")) if files.is_dir() else ():
            if source.is_file():
                _copy(source, lab.folder() / source.relative_to(files))
        begin = getattr(code, "begin", None)
        if begin is not None:
            begin(lab)
        if self.image:
            lab.build(self.image)
            lab.record_start_image(self.image)
        if self.pushed:
            lab.push(self.image, self.pushed)


class Declared:
    """The code of an exercise, from a class that observes.

    Args:
        id_: the exercise.
        code: an instance of that class.
        start: its start state.
        start_cause: what its check says where nothing was changed.
    """

    def __init__(self, id_: str, code: Observing, start: Start, start_cause: str) -> None:
        self._id, self._code, self._start = id_, code, start
        self.start_cause = start_cause

    @property
    def files(self) -> Path:
        """The folder of its start files; an exercise without any has none."""
        return start_files.folder(self._id)

    def begin(self, lab: Lab) -> None:
        """Set its start state."""
        self._start.set(lab, self.files, self._code)

    def check(self, lab: Lab) -> None:
        """Judge each stage of what it observes.

        Raises:
            Wrong: at the first that is.
        """
        facts.judge(lab, self._code.observe(lab))


def _copy(source: Path, target: Path) -> None:
    """Copy a file with what git keeps of it: its bytes, and whether it can be executed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    if source.stat().st_mode & stat.S_IXUSR:
        target.chmod(0o755)
