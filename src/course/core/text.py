"""Text that has to fit: its place, or what a terminal can show."""

from __future__ import annotations

import codecs
import contextlib
import re
import unicodedata
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = {
    **{"✓": "+", "✗": "x", "…": "...", "·": "-", "•": "*", "→": "->", "←": "<-", "×": "x"},
    **{"–": "-", "—": "-", "−": "-", "≥": ">=", "≤": "<=", "±": "+-", "≈": "~", "≠": "!="},
    **{"µ": "u", "μ": "u", "°": " deg", "‘": "'", "’": "'", "“": '"', "”": '"', "█": "#"},
    **{"─": "-", "━": "-", "│": "|", "┃": "|", "╭": "+", "╮": "+", "╰": "+", "╯": "+"},
}
_STEERING = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|[]PX^_][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[ -/]*[0-Z\\\\^-~])"
)
"""A sequence that steers a terminal (ECMA-48): a colour, a title of its window."""
_TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_HANDLER = "course.plain"
_LEAST_COLUMNS = 60


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


def harmless(text: str) -> str:
    """What somebody else's program printed, fit for a terminal and a notebook.

    Colours and what else steers a terminal are left out; further control characters, half signs,
    and what turns the direction of writing are escaped.
    """
    return "".join(map(_harmless_sign, _STEERING.sub("", text)))


def _harmless_sign(sign: str) -> str:
    steers = unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t"
    return ascii(sign)[1:-1] if steers or sign in _TURNS else sign


def plain(text: str) -> str:
    """A text in ASCII: signs by what they mean, letters without their marks, else `?`.

    Args:
        text: any text, also one that holds the bytes of a file's name.
    """
    return "".join(map(_plain_sign, text))


def _plain_sign(sign: str) -> str:
    if sign in _PLAIN or sign.isascii():
        return _PLAIN.get(sign, sign)
    bare = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return bare or ("" if unicodedata.combining(sign) else "?")


def _instead(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end


def plain_where_needed(*streams: TextIO) -> None:
    """Let streams show plain signs for those that they cannot, e.g. in the locale C.

    Args:
        streams: e.g. `sys.stdout`; one that cannot be told so stays as it is.
    """
    codecs.register_error(_HANDLER, _instead)
    for stream in streams:
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors=_HANDLER)  # type: ignore[attr-defined]


def console() -> Console:
    """Where tables are printed: where there is less room for them, their lines are broken."""
    from rich.console import Console

    made = Console(highlight=False)
    made.width = max(_LEAST_COLUMNS, made.width)
    return made
