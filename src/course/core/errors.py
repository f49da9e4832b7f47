"""The one kind of error a learner ever reads."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from course.core import paths

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")


class CourseError(Exception):
    """Something is wrong and the learner can do something about it.

    Args:
        saw: what was found, as a fact.
        want: what was expected instead; may be empty.
        try_: the next command or action to try; may be empty.
    """

    def __init__(self, saw: str, want: str = "", try_: str = "") -> None:
        self.saw = saw
        self.want = want
        self.try_ = try_
        super().__init__(saw)

    def __str__(self) -> str:
        lines = [f"saw:  {self.saw}"]
        if self.want:
            lines.append(f"want: {self.want}")
        if self.try_:
            lines.append(f"try:  {self.try_}")
        return "\n".join(lines)

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback."""
        return [
            f"✗ {line}" if i == 0 else f"  {line}" for i, line in enumerate(str(self).split("\n"))
        ]


def from_os_error(error: OSError) -> CourseError:
    """What the system refused, in the learner's terms."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return CourseError(
            f"the disk is full{where}", "some space", "free some: docker system df; df -h"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        for name, folder in (("COURSE_STATE", paths.state()), ("COURSE_CACHE", paths.cache())):
            # What could not be made may be any folder on the way to ours.
            place = Path(str(error.filename or ""))
            if place.is_absolute() and (place.is_relative_to(folder) or place in folder.parents):
                return CourseError(
                    f"{error.strerror}{where}",
                    f"{folder}, where the course keeps its own files",
                    f"give yourself the right to write there, or: export {name}=FOLDER",
                )
    return CourseError(f"{error.strerror or error}{where}", "", "course doctor")


def wrap_os_errors(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """A function that tells what the system refused as a `CourseError`."""

    @functools.wraps(function)
    def telling(*args: _Args.args, **kwargs: _Args.kwargs) -> _Result:
        try:
            return function(*args, **kwargs)
        except OSError as error:
            raise from_os_error(error) from error

    return telling
