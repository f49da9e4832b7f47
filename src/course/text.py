"""Text that has to fit."""

from __future__ import annotations


def cut(text: str, room: int) -> str:
    """A text, or as much of its beginning as there is room for.

    Args:
        text: what is shown.
        room: characters, the mark of what is left out among them; at least 2.
    """
    return text if len(text) <= room else f"{text[: max(1, room - 1)]}…"
