"""Text that has to fit."""

from __future__ import annotations


def cut(text: str, room: int) -> str:
    """A text, or as much of its beginning as there is room for.

    Args:
        text: what is shown.
        room: characters, the mark of what is left out among them; at least 2.
    """
    return text if len(text) <= room else f"{text[: max(1, room - 1)]}…"


def printable(name: str) -> str:
    """A file's name, fit to be printed: what is not UTF-8 or would break the line is escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
