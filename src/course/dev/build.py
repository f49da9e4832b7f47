"""Sources to notebooks: `content/` and `course.toml` in, `notebooks/`, `labs/`, `solutions/` out.

Pure and byte-deterministic: nothing of a run, a machine or a clock gets into a notebook. A lab
and its solution are two views of one file:

* a cell tagged `solution` is left out of the lab;
* in any cell, the lines from `# BEGIN SOLUTION: what to do` to `# END SOLUTION` become
  `# TODO: what to do` at the same indentation, whatever the language;
* a cell tagged `check` holds one `check("id")`; in the solution it carries the line of a right
  answer as its output, so that nbval compares the system with the promise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook, new_output

from course.core import manifest
from course.core.errors import CourseError
from course.dev import conda
from course.views.cards import passed_html, passed_text

TAGS = {
    "setup",
    "task",
    "solution",
    "check",
    "widget",
    "teardown",
    "collapsed",
    "nbval-ignore-output",
    "nbval-check-output",
    "nbval-skip",
    "raises-exception",
}
CHECK = re.compile(r'check\("([a-z0-9-]+)"\)')
_BEGIN = re.compile(r"^(\s*)# BEGIN SOLUTION(?::\s*(.*))?\s*$")
_END = re.compile(r"^\s*# END SOLUTION\s*$")
_COURSE_MAP = "[course map](../README.md)"
_MAP = re.compile(r"(<!-- course-map -->\n).*?(<!-- /course-map -->)", re.DOTALL)


def build(root: Path) -> dict[Path, bytes]:
    """All notebooks of a course.

    Args:
        root: the folder with `course.toml` and `content/`.

    Returns:
        Relative path → content.

    Raises:
        CourseError: a source is wrong; file and line are named.
    """
    course = manifest.load(root / "course.toml")
    made: dict[Path, bytes] = {}
    for lesson in course.lessons:
        name, links = f"{lesson.stem}.ipynb", Links(course, lesson)
        source = Path("content") / f"{lesson.stem}.md"
        cells = list(enumerate(_cells(root, source), 1))
        head = _headed(cells, root / source, links.above_lesson())
        made[Path("notebooks") / name] = _notebook(source, lesson.topic, head, links.below_lesson())
        source = Path("content") / f"{lesson.stem}.lab.md"
        both = list(_cells(root, source))
        for folder, cells in (
            ("labs", _lab(both, root / source)),
            ("solutions", _solution(both, course)),
        ):
            head = _headed(cells, root / source, links.above_lab())
            made[Path(folder) / name] = _notebook(
                source, f"{lesson.topic}-lab", head, links.below_lab()
            )
    return made


class Links:
    """The way from a notebook to its neighbours, the same in `work/` and on a forge.

    Args:
        course: the course.
        lesson: the lesson whose notebooks are linked.
    """

    def __init__(self, course: manifest.Manifest, lesson: manifest.Lesson) -> None:
        self._lesson = lesson
        stems = [stem for part in course.parts for stem in part.lessons]
        self._place = f"{stems.index(lesson.stem) + 1} of {len(stems)}"
        after = stems[stems.index(lesson.stem) + 1 :]
        self._next = ""
        if after:
            title = {lo.stem: lo.title for lo in course.lessons}.get(after[0])
            link = f"[{after[0]}: {title}](../notebooks/{after[0]}.ipynb)"
            self._next = link if title else f"{after[0]}, which is to come"
        minutes = sum(exercise.minutes for exercise in lesson.exercises)
        count = len(lesson.exercises)
        self._lab = f"{count} exercise{'s' * (count != 1)}, {minutes} minutes"

    def above_lesson(self) -> str:
        """Under a lesson's title."""
        lab = f"[lab](../labs/{self._lesson.stem}.ipynb)"
        minutes = f"{self._lesson.minutes} minutes"
        return f"*Lesson {self._place} · {minutes} · {lab} · {_COURSE_MAP}*"

    def below_lesson(self) -> str:
        """At a lesson's end."""
        lab = f"**Next**: [the lab](../labs/{self._lesson.stem}.ipynb), {self._lab}."
        return f"{lab} After it: {self._next}." if self._next else lab

    def above_lab(self) -> str:
        """Under a lab's title."""
        lesson = f"[lesson](../notebooks/{self._lesson.stem}.ipynb)"
        return f"*Lab {self._place} · {self._lab} · {lesson} · {_COURSE_MAP}*"

    def below_lab(self) -> str:
        """At a lab's end."""
        return (
            f"**Next**: {self._next}." if self._next else f"This was the last lab: {_COURSE_MAP}."
        )


def _headed(cells: list[tuple[int, Any]], path: Path, links: str) -> list[tuple[int, Any]]:
    """The cells with the links under the title.

    Raises:
        CourseError: the source does not begin with a title.
    """
    number, first = cells[0]
    title, _, rest = first.source.partition("\n")
    if first.cell_type != "markdown" or not title.startswith("# "):
        raise CourseError(f"{path}: no title", "`# …` as its first line", "")
    headed = nbformat.from_dict(first)
    headed.source = f"{title}\n\n{links}\n{rest}".rstrip()
    return [(number, headed), *cells[1:]]


def write(root: Path) -> list[Path]:
    """Write what is generated and differs; remove generated notebooks without a source.

    Args:
        root: the folder with `course.toml`.

    Returns:
        Relative paths of what changed.
    """
    made = build(root) | others(root)
    changed = []
    for path, content in made.items():
        target = root / path
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            changed.append(path)
    for folder in ("notebooks", "labs", "solutions"):
        for stale in sorted((root / folder).glob("*.ipynb")):
            if stale.relative_to(root) not in made:
                stale.unlink()
                changed.append(stale.relative_to(root))
    return changed


def others(root: Path) -> dict[Path, bytes]:
    """What is generated beside notebooks: the environment files and the README's course map."""
    made: dict[Path, bytes] = {}
    if (root / "uv.lock").exists():
        text = conda.conda(root).encode()
        made[Path("environment.yml")] = made[Path("binder/environment.yml")] = text
    readme = root / "README.md"
    if readme.exists():
        table = manifest.course_map(manifest.load(root / "course.toml"))
        text_ = _MAP.sub(lambda m: m[1] + table + m[2], readme.read_text(encoding="utf-8"))
        made[Path("README.md")] = text_.encode()
    return made


def _cells(root: Path, source: Path) -> Iterator[Any]:
    """The cells of a source, each with the line at which it stands in `metadata.line`."""
    path = root / source
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CourseError(f"{path} is missing", "a source for every lesson and lab", "") from error
    line = 0
    for cell in jupytext.reads(text, fmt="md:myst").cells:
        first = cell.source.splitlines()[0] if cell.source else ""
        line = _line(text, first, line)
        tags = set(cell.metadata.get("tags", []))
        if tags - TAGS:
            raise CourseError(
                f"{source}, line {line}: unknown tag {', '.join(sorted(tags - TAGS))}",
                f"one of: {', '.join(sorted(TAGS))}",
                "",
            )
        cell.metadata["line"] = line
        yield cell


def _line(text: str, first: str, after: int) -> int:
    for number, row in enumerate(text.splitlines(), 1):
        if number > after and row == first:
            return number
    return after


def _lab(cells: list[Any], path: Path) -> list[tuple[int, Any]]:
    kept = []
    for number, cell in enumerate(cells, 1):
        if "solution" in cell.metadata.get("tags", []):
            continue
        stub = nbformat.from_dict(cell)
        stub.source = strip(cell.source, path, cell.metadata["line"])
        kept.append((number, stub))
    return kept


def strip(source: str, path: Path, line: int = 1) -> str:
    """A cell without its solution regions.

    Args:
        source: the cell.
        path: its file, for messages.
        line: the line at which it begins there.

    Raises:
        CourseError: a region is nested, or not closed, or not opened.
    """
    out: list[str] = []
    opened = 0
    for number, row in enumerate(source.splitlines(), line):
        begin = _BEGIN.match(row)
        if begin and opened:
            raise _region(path, number, "a solution region inside another")
        if begin:
            opened = number
            out.append(f"{begin[1]}# TODO: {begin[2] or 'your part'}")
        elif _END.match(row):
            if not opened:
                raise _region(path, number, "END SOLUTION without a BEGIN")
            opened = 0
        elif not opened:
            out.append(row)
    if opened:
        raise _region(path, opened, "BEGIN SOLUTION without an END")
    return "\n".join(out)


def _region(path: Path, line: int, what: str) -> CourseError:
    return CourseError(f"{path}, line {line}: {what}", "# BEGIN SOLUTION … # END SOLUTION", "")


def _solution(cells: list[Any], course: manifest.Manifest) -> list[tuple[int, Any]]:
    armed = []
    for number, cell in enumerate(cells, 1):
        whole = nbformat.from_dict(cell)
        rows = whole.source.splitlines()
        whole.source = "\n".join(r for r in rows if not (_BEGIN.match(r) or _END.match(r)))
        if "check" in cell.metadata.get("tags", []):
            arm(whole, course)
        armed.append((number, whole))
    return armed


def arm(cell: Any, course: manifest.Manifest) -> None:
    """Give a check cell the output of a right answer, which nbval then expects.

    Raises:
        CourseError: the cell is not one `check("id")`.
    """
    found = CHECK.fullmatch(cell.source.strip())
    if not found:
        raise CourseError(
            f"line {cell.metadata.get('line')}: a check cell holds `{cell.source.strip()}`",
            'check("id") alone',
            "",
        )
    exercise = course.exercise(found[1])
    cell.metadata["tags"] = [*cell.metadata["tags"], "nbval-check-output"]
    # Without a count nbval compares nothing.
    cell.execution_count = 1
    cell.outputs = [
        new_output(
            "execute_result",
            execution_count=1,
            data={
                "text/plain": passed_text(exercise.id, exercise.title),
                "text/html": passed_html(exercise.id, exercise.title),
            },
        )
    ]


def _notebook(source: Path, prefix: str, cells: list[tuple[int, Any]], below: str) -> bytes:
    notebook = new_notebook()
    for number, made in cells:
        cell = nbformat.from_dict(made)
        cell["id"] = f"{prefix}-{number}"
        cell.metadata.pop("line", None)
        if cell.cell_type == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
            if "collapsed" in cell.metadata.get("tags", []):
                cell.metadata["jupyter"] = {"source_hidden": True}
        notebook.cells.append(cell)
    notebook.cells.append(new_markdown_cell(below, id=f"{prefix}-next"))
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "course": {"source": source.as_posix(), "generated": "course dev build"},
        }
    )
    digest = hashlib.sha256(nbformat.writes(notebook).encode()).hexdigest()
    notebook.metadata["course"]["edition"] = digest[:12]
    text: str = nbformat.writes(notebook)
    return (text.rstrip() + "\n").encode()
