"""What a check says: right, wrong with its cause, or not to be judged."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from course.views.cards import MARKS, VALUE, card, marked, passed_html, passed_text

State = Literal["passed", "failed", "could not judge", "not started"]


@dataclass(frozen=True)
class Result:
    """What a check found.

    Args:
        id: the exercise.
        title: what is true when it is right.
        state: passed, failed, not started, or could not judge: the machine failed, or something
            that the course runs on.
        cause: a code for the true cause of a wrong answer.
        saw: the fact that was found.
        want: what it has to be.
        try_: what to look at next.
        own_ms: milliseconds that the check itself took.
        observed: what it had to watch, each with its seconds.
        notes: what is worth knowing about a right answer.
        seed: what the check's requests were drawn from; 0 if it drew none.
    """

    id: str
    title: str
    state: State
    cause: str = ""
    saw: str = ""
    want: str = ""
    try_: str = ""
    own_ms: float = 0.0
    observed: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = field(default=())
    seed: int = 0

    def __repr__(self) -> str:
        if self.state == "passed":
            return passed_text(self.id, self.title)
        if self.state == "not started":
            return f"· {self.id} · not started: {self.try_}"
        mark, _, what = MARKS[self.state]
        head = f"{mark} {self.id} · {self.title}"
        if self.state == "could not judge":
            head += f" · {what}"
        rows = [head, f"  saw:  {self.saw}", f"  want: {self.want}"]
        return "\n".join([*rows, f"  try:  {self.try_}"])

    def _repr_html_(self) -> str:
        if self.state == "passed":
            return passed_html(self.id, self.title)
        mark, color, what = MARKS[self.state]
        rows = [("saw", self.saw), ("want", self.want), ("try", self.try_)]
        body = "".join(
            f"<dt style='grid-column:1;opacity:.75'>{name}</dt>"
            f"<dd style='{VALUE}'>{marked(text)}</dd>"
            for name, text in rows
            if text
        )
        head = html.escape(f"{self.id} · {self.title}")
        return card(color, f"{mark} <b>{head}</b> <i>({what})</i>", body)

    def as_dict(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


@dataclass(frozen=True)
class Explanation:
    """Text that a notebook shows as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text


ENVIRONMENT = "environment"
"""The cause of what could not be judged."""
ARCHITECTURE = "architecture"
"""The cause where an image or its program is for another processor."""
BASE_ONLY_HERE = "base-only-here"
"""The cause where a build stands on an image that no other machine can have."""
EDIT_MISSING = "edit-missing"
"""The cause where a rebuild does not hold what was edited."""
HEALTHY_LATE = "healthy-late"
"""The cause where Docker takes too long to call a container healthy."""
NO_HEALTH_CHECK = "no-health-check"
"""The cause where an image has no health check."""
RETRIES_MANY = "retries-many"
"""The cause where more failed probes are forgiven than there is time for."""
LOCK_IGNORED = "lock-ignored"
"""The cause where an install takes something else than the lock file says."""
NO_ANSWER = "no-answer"
"""The cause where something runs and nothing answers."""
OLD_RUNTIME = "old-runtime"
"""The cause where the program needs a newer runtime than it gets."""
STALE_IMAGE = "stale-image"
"""The cause where an image was built before what it is made of was changed."""
WRONG_ANSWER = "wrong-answer"
"""The cause where a service answers, but not what its program computes."""


class Wrong(Exception):  # noqa: N818 - an answer that is wrong is no error
    """A wrong answer.

    Args:
        cause: a code for its true cause, e.g. `stale-image`; tests compare it.
        saw: the fact that was found.
        want: what it has to be.
        try_: where to look next; not the answer.
        timed: whether a busy machine may be the cause instead: then the check looks whether this
            one is, and says so (`could not judge`).
    """

    def __init__(self, cause: str, *, saw: str, want: str, try_: str, timed: bool = False) -> None:
        self.cause, self.saw, self.want, self.try_ = cause, saw, want, try_
        self.timed = timed
        super().__init__(f"{cause}: {saw}")

    def at(self, when: str) -> Wrong:
        """Return the same, seen at a certain time, e.g. `at its second start`."""
        saw = f"{when}, {self.saw}"
        return Wrong(self.cause, saw=saw, want=self.want, try_=self.try_, timed=self.timed)
