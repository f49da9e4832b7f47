"""A still picture with its alternative text and the same facts as a table."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from course.views.shown import Shown

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
        figure: closed after it has been drawn; `axes.new_figure` makes one in the course's style.
        alt: what it shows, in one sentence, for those who do not see it.
        header: names of the table's columns, with units.
        rows: the same facts as the figure.

    Returns:
        Picture and table for a browser, the table alone as text.
    """
    import matplotlib.pyplot as plt

    global _latest  # noqa: PLW0603 - a notebook's last picture goes into its ledger row
    _latest = drawn(figure, alt=alt, header=header, rows=rows)
    plt.close(figure)
    return _latest


def drawn(
    figure: Any, *, alt: str, header: Sequence[str], rows: Sequence[Sequence[object]]
) -> Picture:
    """The same for a figure made without pyplot, e.g. in a thread; it is not the `latest`."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)  # two `$`, as in a shell's command, are no formula
    sink = io.BytesIO()
    # A light ground of its own: black text on a dark theme could not be read.
    told = {"header": [*header], "rows": [[str(cell) for cell in row] for row in rows]}
    about = {"Description": alt, "Comment": json.dumps(told, ensure_ascii=False)}
    figure.savefig(
        sink, format="png", dpi=110, bbox_inches="tight", facecolor="white", metadata=about
    )
    png = sink.getvalue()
    return Picture(table(header, rows), _markup(png, alt, header, rows), png)


def facts(text: str, *, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Shown:
    """Show a sentence and a table, where there is nothing to draw.

    Args:
        text: the sentence.
        header: names of the table's columns, with units.
        rows: without any there is no table.
    """
    below = _table_markup(header, rows) if rows else ""
    lines = [text, table(header, rows)] if rows else [text]
    markup = f"<div class='course-facts'><p>{html.escape(text)}</p>{below}</div>"
    return Shown("\n".join(lines), markup)


def latest() -> Picture | None:
    """The last picture that this notebook showed."""
    return _latest


def _markup(png: bytes, alt: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    data = base64.b64encode(png).decode()
    return (
        f"<figure class='course-picture' style='margin:0'><img alt='{html.escape(alt)}' "
        f"style='max-width:100%' src='data:image/png;base64,{data}'>"
        f"<figcaption><details><summary>The same as a table</summary>"
        f"{_table_markup(header, rows)}</details></figcaption></figure>"
    )


def _table_markup(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    head = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned text."""
    cells = [list(map(str, header)), *[list(map(str, row)) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)
