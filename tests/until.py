"""Wait in a test, with a deadline that fails it."""

from __future__ import annotations

from collections.abc import Callable

from course.core import waiting


def until(
    true: Callable[[], object], what: str = "", *, wait: float = 20.0, pause: float = 0.02
) -> None:
    """Return once something is so.

    Args:
        true: whether it is.
        what: what is waited for, for the message.
        wait: deadline in seconds.
        pause: seconds between two looks.

    Raises:
        AssertionError: it is not so at the deadline.
    """
    last = waiting.eventually(true, wait=wait, pause=pause)
    assert last, f"waited {wait:.0f} s{what and f' for {what}'}: {last!r}"
