"""The learner's folder `work/`: copies, saves, the start page, progress, predictions, the ledger.

Nothing of the learner's is ever lost: what is replaced is saved first, and the progress file
is written whole or not at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from course import engines, files, locks, manifest, overview, paths, waiting
from course.errors import CourseError
from course.run import Runner, runner

_KINDS = ("notebooks", "labs")
_LOCK_WAIT = 10.0


# -- progress.json


def _progress_file() -> Path:
    return paths.work() / "progress.json"


def progress() -> dict[str, Any]:
    """All that is known of the learner.

    Raises:
        CourseError: the file does not parse; it is named with line and reason and left alone.
    """
    empty: dict[str, Any] = {"exercises": {}, "predictions": {}, "ledger": {}, "editions": {}}
    try:
        data = json.loads(_progress_file().read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            raise CourseError(f"{_progress_file()}, line 1: not an object", "a JSON object", _MEND)
        return empty | data
    except FileNotFoundError:
        return empty
    except json.JSONDecodeError as error:
        raise CourseError(
            f"{_progress_file()}, line {error.lineno}: {error.msg}", "JSON", _MEND
        ) from error
    except UnicodeDecodeError as error:
        raise CourseError(f"{_progress_file()}: {error}", "UTF-8", _MEND) from error


_MEND = "mend that line, or move the file away to begin anew: it is never overwritten"


@contextlib.contextmanager
def _changing() -> Iterator[dict[str, Any]]:
    """Change the progress under a lock; written whole, and on disk, before this returns."""
    lock = paths.work() / ".progress.lock"
    held = "another process holds work/.progress.lock"
    with locks.held(lock, wait=_LOCK_WAIT, what=held, try_="try again"):
        data = progress()
        yield data
        text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)
        files.atomic_write(_progress_file(), text, durable=True)
        _write_start_page(data)


def _write_start_page(data: dict[str, Any]) -> None:
    """Bring the start page up to date; a page of the learner's own of that name is left alone."""
    target = paths.work() / overview.NAME
    text = overview.page(manifest.load(), data)
    with contextlib.suppress(FileNotFoundError):
        there = target.read_text(encoding="utf-8", errors="replace")
        if there == text or not overview.is_ours(there):
            return
        if overview.is_edited(there):
            save([target])
    files.atomic_write(target, text, durable=True)


def state(id_: str) -> str:
    """`new`, `started` or `passed`."""
    return str(progress()["exercises"].get(id_, {}).get("state", "new"))


def current() -> str:
    """Return the id of the exercise that was begun last, or set back, or gone to.

    Raises:
        CourseError: none was begun yet.
    """
    id_ = str(progress().get("current", ""))
    if not id_:
        raise CourseError(
            "no exercise was begun yet", "an exercise's name", "course list; course goto EXERCISE"
        )
    return id_


def remember(id_: str, name: str, value: str) -> None:
    """Keep a fact of an exercise's start state."""
    with _changing() as data:
        data["exercises"].setdefault(id_, {}).setdefault("facts", {})[name] = value


def recall(id_: str, name: str) -> str | None:
    """A fact of an exercise's start state."""
    found = progress()["exercises"].get(id_, {}).get("facts", {}).get(name)
    return None if found is None else str(found)


def record(id_: str, *, passed: bool, found: dict[str, Any]) -> None:
    """Keep what a check found; what was passed once stays passed until a reset."""
    with _changing() as data:
        entry = data["exercises"].setdefault(id_, {})
        entry["last"] = found
        entry["checks"] = entry.get("checks", 0) + 1
        if passed:
            entry["state"] = "passed"


def last_found(id_: str) -> dict[str, Any] | None:
    """What the last check of an exercise found."""
    found = progress()["exercises"].get(id_, {}).get("last")
    return dict(found) if found else None


# -- start states


def begin(id_: str) -> str:
    """Set an exercise's start state the first time; later only say that it is set.

    Raises:
        CourseError: there is no such exercise, or its start state cannot be set.
    """
    exercise = manifest.load().exercise(id_)
    if state(id_) != "new":
        if progress().get("current") != id_:
            with _changing() as data:
                data["current"] = id_
        return f"{id_} is {state(id_)}; your files in {_shown(id_)} are as you left them"
    return _set(exercise)


def goto(id_: str) -> str:
    """Set an exercise's start state from any state; what it replaces is saved first.

    Raises:
        CourseError: there is no such exercise, or its start state cannot be set.
    """
    return _set(manifest.load().exercise(id_))


def _set(exercise: manifest.Exercise) -> str:
    from course import exercises, world

    for need in exercise.needs:
        if not engines.has(need):
            raise CourseError(
                f"{exercise.id} needs `{need}`: {engines.why_not(need)}",
                f"`{need}`",
                "course status",
            )
    here = world.World(exercise.id)
    kept = save([here.folder()])
    files.empty(here.folder())
    with _changing() as data:
        # Facts stay until they are set anew: by them a start state knows what it made itself.
        old = data["exercises"].get(exercise.id, {})
        data["exercises"][exercise.id] = {k: old[k] for k in ("hints", "facts") if k in old}
    with waiting.shown(f"the start state of {exercise.id}"), here.asked():
        exercises.find(exercise.id).begin(here)
    # Last: a start state that broke off half-way is not started.
    with _changing() as data:
        data["exercises"][exercise.id]["state"] = "started"
        data["current"] = exercise.id
    text = f"{exercise.id} · {exercise.title}: start state set, files in {_shown(exercise.id)}"
    return text + (f"; what was there is in {kept}" if kept else "")


def _shown(id_: str) -> str:
    folder = paths.work() / id_
    inside = folder.is_relative_to(paths.ROOT)
    return f"{folder.relative_to(paths.ROOT) if inside else folder}/"


def save(targets: list[Path]) -> Path | None:
    """Copy what is about to be replaced to `work/.saved/<time>/`.

    Args:
        targets: files and folders below the learner's folder.

    Returns:
        Where the copies are, or `None` if there was nothing to save.
    """
    there = [t for t in targets if t.is_file() or (t.is_dir() and any(t.iterdir()))]
    if not there:
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = paths.work() / ".saved" / stamp
    count = 1
    while folder.exists():
        count += 1
        folder = paths.work() / ".saved" / f"{stamp}-{count}"
    for target in there:
        dest = folder / target.relative_to(paths.work())
        dest.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.copytree(target, dest, symlinks=True)
        else:
            shutil.copy2(target, dest)
    return folder


# -- copies of lessons and labs


def _cells(path: Path) -> str:
    """A hash over what the learner can edit: sources, not outputs."""
    text = "\0".join(f"{kind}\1{source}" for kind, source in _sources(path))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _sources(path: Path) -> list[tuple[str, str]]:
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
    with _changing():
        pass  # the start page, as the course is now


def _copy(name: str, source: Path, copy: Path) -> None:
    files.atomic_write(copy, source.read_bytes(), durable=True)
    with _changing() as data:
        data["editions"][name] = _cells(source)


def update(course: manifest.Manifest) -> list[str]:
    """Bring new versions into `work/`.

    A copy whose cells are as they came is replaced; one that was edited is kept and the new
    version is put beside it.

    Returns:
        What was done, a line each.
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
            with _changing() as data:
                data["editions"][name] = new
            said.append(f"kept:    work/{name}, which you edited; the new one is {beside.name}")
    return said or ["everything is up to date"]


# -- the learner's repository of the sample service

_ORDERS = "orders"


def ensure_orders(*, using: Runner | None = None) -> Path:
    """Put the learner's own git repository of `orders` into `work/` where there is none.

    Lessons clone it (`git clone orders 02-dockerfile/orders`), so that what a lesson breaks stays
    in the lesson's folder.

    Args:
        using: runs git.

    Returns:
        The repository's folder.

    Raises:
        CommandError: git is missing or failed.
    """
    using = using or runner()
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
            using.run([*git, *words], timeout=60, try_="is git installed? course doctor")
    return repository


# -- hints, solutions, lists


def hint(id_: str) -> str:
    """One more hint each time; all that were given are shown."""
    exercise = manifest.load().exercise(id_)
    with _changing() as data:
        entry = data["exercises"].setdefault(id_, {})
        entry["hints"] = min(entry.get("hints", 0) + 1, len(exercise.hints))
        given = entry["hints"]
    lines = [f"{i}. {text}" for i, text in enumerate(exercise.hints[:given], 1)]
    left = len(exercise.hints) - given
    lines.append(f"({left} more: course hint {id_})" if left else "(that was the last one)")
    return "\n".join(lines)


def solution(id_: str) -> str:
    """The solution of an exercise: after success, or when asked twice."""
    course = manifest.load()
    course.exercise(id_)
    with _changing() as data:
        entry = data["exercises"].setdefault(id_, {})
        asked = entry["asked"] = entry.get("asked", 0) + 1
        passed = entry.get("state") == "passed"
    if not passed and asked < 2:
        return (
            f"{id_} is not passed yet. A hint may do: course hint {id_}\n"
            f"If you want the solution all the same, ask again: course solution {id_}"
        )
    path = paths.ROOT / "solutions" / f"{course.lesson_of(id_).stem}.ipynb"
    cells = _sources(path)
    begin_at = next(i for i, (_, source) in enumerate(cells) if f'begin("{id_}")' in source)
    end_at = next(i for i, (_, source) in enumerate(cells) if f'check("{id_}")' in source)
    code = [source for kind, source in cells[begin_at + 1 : end_at] if kind == "code"]
    return "\n\n".join(code)


def listing(course: manifest.Manifest) -> list[dict[str, Any]]:
    """All exercises with the learner's state."""
    known = progress()["exercises"]
    return [
        {
            "id": exercise.id,
            "part": lesson.part,
            "lesson": lesson.stem,
            "title": exercise.title,
            "minutes": exercise.minutes,
            "needs": list(exercise.needs),
            "hints": len(exercise.hints),
            "state": known.get(exercise.id, {}).get("state", "new"),
        }
        for lesson in course.lessons
        for exercise in lesson.exercises
    ]


# -- predictions and the ledger


def ask(name: str, *, question: str = "", unit: str, lesson: str) -> dict[str, Any]:
    """Note what is asked, so that the ledger can tell it; an answer that is kept stays.

    Returns:
        All that is known of this prediction: `question`, `unit`, `lesson`; once committed `value`
        and `at`, and `late` if it came after the measurement; once measured `measured` and
        `measured_at`.
    """
    with _changing() as data:
        entry = data["predictions"].setdefault(name, {})
        entry.setdefault("unit", unit)
        # A cell that was run without the ones above it knows neither; what is known stays.
        entry |= {k: v for k, v in (("lesson", lesson), ("question", question)) if v}
        return dict(entry)


def predict(name: str, value: float, unit: str) -> dict[str, Any]:
    """Commit a prediction; the first one is kept."""
    with _changing() as data:
        entry = data["predictions"].setdefault(name, {})
        if "value" not in entry:
            entry |= {"value": value, "unit": unit, "at": _now(), "late": "measured" in entry}
        return dict(entry)


def measure(name: str, value: float, unit: str) -> dict[str, Any]:
    """Keep what was measured beside what was predicted; the latest is kept."""
    with _changing() as data:
        entry = data["predictions"].setdefault(name, {})
        entry |= {"measured": value, "measured_unit": unit, "measured_at": _now()}
        return dict(entry)


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M")


def predicted(name: str) -> float | None:
    """What the learner predicted, or `None`."""
    found = progress()["predictions"].get(name, {}).get("value")
    return None if found is None else float(found)


def add_row(
    claim: str,
    *,
    lesson: str,
    measured: str,
    conditions: str,
    verdict: str,
    picture: bytes | None = None,
    predictions: Sequence[str] | None = None,
) -> dict[str, str]:
    """Write one row of the ledger; measured again, it is replaced.

    Args:
        claim: the sentence on trial; with the lesson it names the row.
        lesson: the lesson's stem.
        measured: what was measured, with units.
        conditions: under which conditions.
        verdict: what it says of the claim.
        picture: a PNG that carries its own alternative text; kept in `work/ledger/`.
        predictions: names of those about this claim; `None` for all of the lesson's.
    """
    engine = engines.current()
    row = {
        "claim": claim,
        "lesson": lesson,
        "measured": measured,
        "conditions": conditions,
        "verdict": verdict,
        "engine": engine.name if engine else "none",
        "at": _now(),
    }
    if predictions is not None:
        row["predictions"] = " ".join(predictions)
    if picture is not None:
        slug = re.sub(r"[^a-z0-9]+", "-", claim.lower()).strip("-")[:40]
        row["picture"] = f"ledger/{lesson}-{slug}.png"
        target = paths.work() / row["picture"]
        files.atomic_write(target, picture, durable=True)
    with _changing() as data:
        data["ledger"][f"{lesson}: {claim}"] = row
    return row
