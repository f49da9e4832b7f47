"""What a learner claims to have measured, in a JSON file: read it, and ask whether it can be so."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from course.core.text import cut, printable

_MOST_BYTES = 100_000
_SHOWN = 60
_MISSING = object()


@dataclass(frozen=True)
class Claim:
    """The JSON object of a file, or of a part of it.

    Args:
        name: how messages name it, e.g. `dockerfile-4/measured.json`.
        content: what the object holds; nothing if there is none.
        problem: why there is none; empty if there is one.
        exists: whether there is a file of that name at all.
    """

    name: str
    content: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    exists: bool = True

    def flaw(self, *figures: str) -> str:
        """Say why these are not all numbers that can be measured; empty if they are.

        Args:
            figures: names in the object.
        """
        if self.problem:
            return f"{self.name} {self.problem}"
        for figure in figures:
            value = self.content.get(figure, _MISSING)
            if value is _MISSING:
                others = ", ".join(map(printable, self.content)) or "nothing"
                return f"{self.name} has no `{figure}`; it has {cut(others, _SHOWN)}"
            if not _is_figure(value):
                return f"`{figure}` in {self.name} is {_shown(value)}, not a number of 0 or more"
        return ""

    def figures(self, *names: str) -> dict[str, float]:
        """Return numbers by their names; 0 for each that has a flaw."""
        values = ((name, self.content.get(name)) for name in names)
        return {name: float(value) if _is_figure(value) else 0.0 for name, value in values}

    def text(self, name: str) -> str:
        """Return a text by its name; empty if it is none."""
        value = self.content.get(name)
        return value if isinstance(value, str) else ""

    def part(self, name: str) -> Claim:
        """Return an object inside this one, with a problem if it is none."""
        where = f"`{printable(name)[:_SHOWN]}` in {self.name}"
        if self.problem:
            return Claim(self.name, {}, self.problem, self.exists)
        if name not in self.content:
            return Claim(where, {}, "is not there", exists=False)
        return _object(where, self.content[name])

    def parts(self, name: str) -> dict[str, Claim]:
        """Return the objects inside an object inside this one, by their names."""
        whole = self.part(name)
        return {inner: whole.part(inner) for inner in whole.content}


def read(folder: Path, name: str) -> Claim:
    """Read the JSON object of a learner's file.

    Args:
        folder: the exercise's.
        name: the file's.

    Returns:
        The object, or why there is none: a learner's file is never an error.
    """
    file, where = folder / name, f"{folder.name}/{name}"
    try:
        if not file.exists():
            return Claim(where, {}, "is not there", exists=False)
        if not file.is_file():  # a pipe would keep its reader for ever
            return Claim(where, {}, "is no file")
        with file.open("rb") as opened:
            text = opened.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            return Claim(where, {}, f"is longer than {_MOST_BYTES // 1000} kB")
        return _object(where, json.loads(text.decode("utf-8-sig")))
    except OSError as error:
        return Claim(where, {}, f"cannot be read: {error.strerror}")
    except RecursionError:
        return Claim(where, {}, "is nested too deep")
    except ValueError as error:  # of JSON, of UTF-8
        return Claim(where, {}, f"is not JSON: {cut(str(error), 2 * _SHOWN)}")


def near(claimed: float, seen: float, *, share: float, least: float = 0.0) -> bool:
    """Whether a figure is another one, give or take.

    Args:
        claimed: what the learner says.
        seen: what was measured, or follows from it.
        share: how far it may be off, as a share of `seen`.
        least: so far it may be off in any case.
    """
    return abs(claimed - seen) <= max(share * abs(seen), least)


def within_factor(claimed: float, seen: float, factor: float) -> bool:
    """Whether a figure is of the size of a sample that was measured again.

    Args:
        claimed: what the learner says.
        seen: the sample.
        factor: how many times smaller or larger it may be.
    """
    return seen / factor <= claimed <= seen * factor and claimed > 0


def unit(claimed: float, seen: float, units: Mapping[str, float], *, share: float) -> str:
    """Name the unit in which a figure would be right; empty if it would be in none.

    Args:
        claimed: what the learner says.
        seen: what was measured, in the unit that was asked for.
        units: other units → how many of them are one of that unit, e.g. `{"ms": 1000}` for s.
        share: how far the figure may be off, as a share.
    """
    fits = (name for name, many in units.items() if near(claimed, seen * many, share=share))
    return next(fits, "")


def _object(name: str, found: Any) -> Claim:
    if not isinstance(found, dict):
        return Claim(name, {}, f"holds {_shown(found)}, not an object with names")
    return Claim(name, found)


def _is_figure(value: Any) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value)) and value >= 0
    except OverflowError:
        return False


def _shown(value: Any) -> str:
    return cut(json.dumps(value), _SHOWN)
