"""The cells of a solution that solve one exercise, as texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_SOLVE = {"task", "solution"}


def tasks(cells: Iterable[Mapping[str, Any]], id_: str) -> list[str]:
    """Return the sources, between an exercise's start state and its check, that solve it.

    Args:
        cells: those of a solution's notebook.
        id_: the exercise.
    """
    found: list[str] = []
    inside = False
    for cell in cells:
        # A source is a text or its lines.
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and f'check("{id_}")' in source:
            break
        if inside and _SOLVE & set(cell.get("metadata", {}).get("tags", [])):
            found.append(source)
        inside = inside or f'begin("{id_}")' in source
    return found
