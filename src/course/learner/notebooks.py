"""The learner's copies of lessons and labs in `work/`, and their repository of orders.

Nothing of the learner's is ever lost: what is replaced is saved first.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from course.core import files, manifest, paths
from course.core.errors import CourseError
from course.core.process import Runner, default_runner
from course.learner.progress import changing, progress
from course.learner.saves import save

_KINDS = ("notebooks", "labs")


# -- copies of lessons and labs


def _cells(path: Path) -> str:
    """A hash over what the learner can edit: sources, not outputs."""
    text = "\0".join(f"{kind}\1{source}" for kind, source in sources(path))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sources(path: Path) -> list[tuple[str, str]]:
    """Each cell's kind and source; by JSON alone, since importing nbformat takes a command's time.

    Raises:
        CourseError: the file is not a notebook of version 4.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        # A source is a text or its lines.
        return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        learners = path.is_relative_to(paths.work())
        raise CourseError(
            f"{path}: {type(error).__name__}: {error}",
            "a notebook",
            "move it away, then: course update" if learners else f"git checkout {path}",
        ) from error


def _pairs(course: manifest.Manifest) -> Iterator[tuple[str, Path, Path]]:
    for kind in _KINDS:
        for lesson in course.lessons:
            name = f"{kind}/{lesson.stem}.ipynb"
            yield name, paths.ROOT / name, paths.work() / name


def ensure_copies(course: manifest.Manifest) -> None:
    """Put a copy of each lesson and lab into `work/` where there is none."""
    for name, source, copy in _pairs(course):
        if source.exists() and not copy.exists():
            _copy(name, source, copy)
    with changing():
        pass  # the start page, as the course is now


def _copy(name: str, source: Path, copy: Path) -> None:
    files.atomic_write(copy, source.read_bytes(), durable=True)
    with changing() as data:
        data["editions"][name] = _cells(source)


def update(course: manifest.Manifest) -> list[str]:
    """Bring new versions into `work/`.

    A copy whose cells are as they came is replaced; one that was edited is kept and the new
    version is put beside it.

    Returns:
        What was done, a line each; empty if everything was up to date.
    """
    said = []
    for name, source, copy in _pairs(course):
        if not source.exists():
            continue
        if not copy.exists():
            _copy(name, source, copy)
            said.append(f"new:     work/{name}")
            continue
        edition = progress()["editions"].get(name)
        new = _cells(source)
        if edition == new:
            continue
        if _cells(copy) in (edition, new):
            kept = save([copy])
            _copy(name, source, copy)
            said.append(f"updated: work/{name} (the old one is in {kept})")
        else:
            beside = copy.with_suffix(".new.ipynb")
            save([beside])
            files.atomic_write(beside, source.read_bytes(), durable=True)
            with changing() as data:
                data["editions"][name] = new
            said.append(f"kept:    work/{name}, which you edited; the new one is {beside.name}")
    return said


# -- the learner's repository of the sample service

_ORDERS = "orders"


def ensure_orders(*, runner: Runner | None = None) -> Path:
    """Put the learner's own git repository of `orders` into `work/` where there is none.

    Lessons clone it (`git clone orders 02-dockerfile/orders`), so that what a lesson breaks stays
    in the lesson's folder.

    Args:
        runner: runs git.

    Returns:
        The repository's folder.

    Raises:
        CommandError: git is missing or failed.
    """
    runner = runner or default_runner()
    repository = paths.work() / _ORDERS
    if repository.exists():
        return repository
    source = paths.ROOT / "apps" / _ORDERS
    not_source = shutil.ignore_patterns("node_modules", "dist")
    with files.atomic_folder(repository) as part:
        shutil.copytree(source, part, ignore=not_source, dirs_exist_ok=True)
        (part / ".gitignore").write_text("node_modules/\ndist/\n", encoding="utf-8")
        # What is cloned goes into images, whatever the learner's git does with ends of lines.
        (part / ".gitattributes").write_text("* text=auto eol=lf\n", encoding="utf-8")
        git = ["git", "-C", part]
        for words in (
            ["init", "--quiet", "--initial-branch=main"],
            ["add", "--all"],
            ["commit", "--quiet", "--message", "orders as the course begins"],
        ):
            runner.run([*git, *words], timeout=60, try_="is git installed? course doctor")
    return repository
