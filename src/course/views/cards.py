"""A verdict as text and as a card."""

from __future__ import annotations

import html
import re

MARKS = {
    "failed": ("✗", "#c4320a", "not yet"),
    "could not judge": ("?", "#9a6700", "could not judge"),
    "not started": ("·", "#6e7781", "not started"),
}


# Without width and float JupyterLab's own style breaks the line early.
VALUE = "grid-column:2;margin:0;width:auto;float:none;white-space:pre-wrap;overflow-wrap:anywhere"


def marked(text: str) -> str:
    """Text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))


def card(color: str, head: str, body: str = "") -> str:
    """Return a verdict's card as HTML.

    Args:
        color: of its border and head.
        head: its first line.
        body: rows of a definition list, as HTML.
    """
    # No background and no text colour of its own: both come from the theme, light or dark.
    if body:
        grid = "display:grid;grid-template-columns:auto 1fr;gap:2px 12px;margin:6px 0 0"
        body = f"<dl style='{grid}'>{body}</dl>"
    return (
        f"<div class='course-check' role='status' style='border:1px solid {color};"
        f"border-left:6px solid {color};border-radius:4px;padding:8px 12px;max-width:46em'>"
        f"<div>{head}</div>{body}</div>"
    )


def passed_text(id_: str, title: str) -> str:
    """The line of a right answer: the same in every run, so that it can be compared."""
    return f"✓ {id_} · {title}"


def passed_html(id_: str, title: str) -> str:
    """The card of a right answer, as constant as its line."""
    return card("#1a7f37", f"✓ <b>{html.escape(f'{id_} · {title}')}</b>")
