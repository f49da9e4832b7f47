"""A still picture with its alternative text and the same facts as a table."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course.notebook import Shown

COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999")
"""A palette that those who do not see all colours can tell apart (Okabe and Ito, 2008)."""


_latest: Picture | None = None


@dataclass(frozen=True, repr=False)
class Picture(Shown):
    """A picture as it was shown.

    Args:
        png: the image; its alternative text is in it as the PNG's `Description`, its facts as
            JSON in its `Comment`.
    """

    png: bytes = b""


def picture(
    figure: Any, *, alt: str, header: Sequence[str], rows: Sequence[Sequence[object]]
) -> Picture:
    """Show a matplotlib figure.

    Args:
        figure: closed after it has been drawn.
        alt: what it shows, in one sentence, for those who do not see it.
        header: names of the table's columns, with units.
        rows: the same facts as the figure.

    Returns:
        Picture and table for a browser, the table alone as text.
    """
    import matplotlib.pyplot as plt

    sink = io.BytesIO()
    # A light ground of its own: black text on a dark theme could not be read.
    facts = {"header": [*header], "rows": [[str(cell) for cell in row] for row in rows]}
    about = {"Description": alt, "Comment": json.dumps(facts, ensure_ascii=False)}
    figure.savefig(
        sink, format="png", dpi=110, bbox_inches="tight", facecolor="white", metadata=about
    )
    plt.close(figure)
    global _latest  # noqa: PLW0603 - a notebook's last picture goes into its ledger row
    _latest = Picture(
        table(header, rows), _markup(sink.getvalue(), alt, header, rows), sink.getvalue()
    )
    return _latest


def latest() -> Picture | None:
    """The last picture that this notebook showed."""
    return _latest


def _markup(png: bytes, alt: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    data = base64.b64encode(png).decode()
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        f"<figure class='course-picture' style='margin:0'><img alt='{html.escape(alt)}' "
        f"style='max-width:100%' src='data:image/png;base64,{data}'>"
        f"<figcaption><details><summary>The same as a table</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"</details></figcaption></figure>"
    )


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned text."""
    cells = [list(map(str, header)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)
