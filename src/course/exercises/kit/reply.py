"""What came back when a service was asked: a reply, or how the container is without one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from course.core.text import cut

_LINE = 160
_MOST_TEXT = 400
"""Characters of a field: no service of the course answers more, and `int` reads as many."""


class Heard:
    """What came back: `Reply`, `Running` or `Ended`. Without a reply its status is 0."""

    status: int = 0
    body: str = ""

    def field(self, name: str) -> str:
        """Return a field of the JSON object that was answered, as text; empty without a reply."""
        return ""


@dataclass(frozen=True)
class Reply(Heard):
    """An HTTP answer.

    Args:
        status: its status.
        body: its text.
    """

    status: int
    body: str

    def field(self, name: str) -> str:
        """Return a field of a JSON object as text, cut; of any other body its beginning."""
        try:
            return cut(str(json.loads(self.body).get(name)), _MOST_TEXT)
        except (ValueError, AttributeError, RecursionError):
            return self.body[:60]


@dataclass(frozen=True)
class Running(Heard):
    """The container runs, and nothing has answered in time."""


@dataclass(frozen=True)
class Ended(Heard):
    """The container has ended.

    Args:
        code: its exit code.
        log: its last lines.
    """

    code: int
    log: str

    @property
    def line(self) -> str:
        """The line of its log that says most of its end."""
        return telling_line(self.log)


def telling_line(log: str) -> str:
    """Return the line of a log that says most of an end: the last error, else the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"\W*\w*Error|.*not found", line)]
    return (errors or lines or ["an empty log"])[-1][:_LINE]
