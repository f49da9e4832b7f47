"""What a cell shows: text, with HTML beside it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shown:
    """Text, with HTML beside it for a browser."""

    text: str
    markup: str = field(default="")

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str | None:
        return self.markup or None
