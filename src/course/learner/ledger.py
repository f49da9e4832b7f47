"""The learner's own evidence: claim by claim, what was predicted, measured, and under what.

It reads `work/progress.json` and the pictures in `work/ledger/`; a lesson that was not done stands
there as not measured yet.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course.core import files, manifest, paths
from course.core.errors import CourseError
from course.learner import progress

NOT_YET = "not measured yet"
_OURS = '<meta name="generator" content="course ledger">'
_TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Kept:
    """The picture of a row.

    Args:
        name: its file, below the learner's folder.
        png: the image in base64; empty if the file is not there or is no image.
        alt: what it shows, in words.
        header: the columns of its facts.
        rows: its facts.
    """

    name: str
    png: str = ""
    alt: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = field(default=())


@dataclass(frozen=True)
class Entry:
    """One claim.

    Args:
        lesson: the lesson's stem.
        title: the lesson's title; empty for a lesson that the course no longer has.
        claim: the sentence on trial.
        row: what was measured, or `None`.
        predictions: the lesson's predictions, as text.
    """

    lesson: str
    title: str
    claim: str
    row: dict[str, str] | None
    predictions: tuple[str, ...] = ()

    @property
    def picture(self) -> Kept | None:
        """The row's picture, or `None` if it has none."""
        name = (self.row or {}).get("picture")
        return _kept(name) if name else None


def _kept(name: str) -> Kept:
    from PIL import Image

    file = paths.work() / name
    try:
        with Image.open(file) as image:
            about = image.info
        facts = json.loads(about["Comment"])
        rows = tuple(tuple(row) for row in facts["rows"])
        png = base64.b64encode(file.read_bytes()).decode()
        return Kept(name, png, about["Description"], tuple(facts["header"]), rows)
    except (OSError, ValueError, KeyError, TypeError):
        return Kept(name)


def entries(course: manifest.Manifest) -> list[Entry]:
    """Every claim of the course in its order, and what else was measured after them."""
    data = progress.progress()
    rows: dict[str, list[dict[str, str]]] = {}
    for key in sorted(data["ledger"]):
        row = data["ledger"][key]
        rows.setdefault(row["lesson"], []).append(row)
    titles = {lesson.stem: lesson.title for lesson in course.lessons}
    claims = {lesson.stem: lesson.claim for lesson in course.lessons}
    found = []
    for stem in [*titles, *sorted(set(rows) - set(titles))]:
        for i, row in enumerate(rows.get(stem, [])):
            # Where no row says which are its own, they stand once, beside the first.
            told = i == 0 or "predictions" in row
            said = tuple(predictions(data["predictions"], stem, row)) if told else ()
            found.append(Entry(stem, titles.get(stem, ""), row["claim"], row, said))
        if stem not in rows:
            said = tuple(predictions(data["predictions"], stem))
            found.append(Entry(stem, titles[stem], claims[stem], None, said))
    return found


def predictions(
    known: dict[str, dict[str, Any]], lesson: str, row: Mapping[str, str] | None = None
) -> Iterator[str]:
    """What was predicted and what came out, a line each.

    Args:
        known: every prediction by its name.
        lesson: the lesson's stem.
        row: of the ledger; its own alone, if it names them.
    """
    names = (row or {}).get("predictions")
    for name in sorted(known if names is None else set(known) & set(names.split())):
        entry = known[name]
        if entry.get("lesson") == lesson and ("value" in entry or "measured" in entry):
            yield f"{entry.get('question') or name} {compared(entry)}"


def compared(entry: dict[str, Any]) -> str:
    """A prediction and its measurement, as far as they are there.

    Args:
        entry: as `progress.ask` returns it.
    """
    if "value" in entry:
        said = f"You said {entry['value']:g} {entry['unit']}"
        if entry.get("late"):
            said += " after measuring it"
    else:
        said = "You made no prediction"
    if "measured" not in entry:
        return f"{said}; {NOT_YET}."
    return f"{said}; measured {entry['measured']:g} {entry['measured_unit']}{_ratio(entry)}."


def _ratio(entry: dict[str, Any]) -> str:
    value, measured = entry.get("value"), entry["measured"]
    if value is None or value <= 0 or measured <= 0 or entry["unit"] != entry["measured_unit"]:
        return ""
    ratio = measured / value
    if abs(ratio - 1) <= 0.05:
        return ", within 5 %"
    return f", {ratio:.2g} times that" if ratio < 100 else f", {ratio:.0f} times that"


def text(course: manifest.Manifest) -> str:
    """The ledger for a terminal."""
    return "\n\n".join(_text(entry) for entry in entries(course))


def html(course: manifest.Manifest) -> str:
    """The ledger as one page that needs no other file."""
    import jinja2

    found = entries(course)
    template = jinja2.Environment(
        autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    ).from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        title=course.title,
        entries=found,
        measured=sum(entry.row is not None for entry in found),
        not_yet=NOT_YET,
    )


def write_html(course: manifest.Manifest, file: Path | None = None) -> Path:
    """Write the page.

    Args:
        course: the course.
        file: where; `work/ledger.html` by default. A page that an earlier run wrote is replaced.

    Returns:
        Where it is.

    Raises:
        CourseError: there is a file of another kind.
    """
    file = file or paths.work() / "ledger.html"
    if file.is_dir() or (file.exists() and _OURS not in file.read_text(errors="replace")):
        raise CourseError(
            f"{file} is there and was not written by `course ledger`",
            "a new file, or an older page of the ledger",
            "course ledger --html work/my-ledger.html",
        )
    return files.atomic_write(file, html(course), durable=True)


def _text(entry: Entry) -> str:
    lines = [entry.lesson, _line("claim", entry.claim)]
    if entry.row is None:
        lines.append(_line("measured", NOT_YET))
    else:
        lines += [_line(name, entry.row[name]) for name in ("measured", "conditions", "verdict")]
        where = f"engine {entry.row['engine']}, {entry.row['at']}"
        lines.append(_line("where", where))
    lines += [_line("predicted", said) for said in entry.predictions]
    return "\n".join(lines)


def _line(name: str, value: str) -> str:
    return f"  {name + ':':<12}{value}"
