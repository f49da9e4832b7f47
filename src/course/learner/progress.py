"""The learner's progress.json: exercises, predictions, the ledger's rows."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from course.core import environment, files, locks, manifest, paths
from course.core.errors import CourseError
from course.learner import start_page
from course.learner.saves import save

_LOCK_WAIT = 10.0


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
def changing() -> Iterator[dict[str, Any]]:
    """Change the progress under a lock; written whole, and on disk, before this returns."""
    lock = paths.work() / ".progress.lock"
    held = "another process holds work/.progress.lock"
    with locks.hold(lock, wait=_LOCK_WAIT, what=held, try_="try again"):
        data = progress()
        yield data
        text = json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)
        files.atomic_write(_progress_file(), text, durable=True)
        _write_start_page(data)


def _write_start_page(data: dict[str, Any]) -> None:
    """Bring the start page up to date; a page of the learner's own of that name is left alone."""
    target = paths.work() / start_page.NAME
    text = start_page.page(manifest.load(), data)
    with contextlib.suppress(FileNotFoundError):
        there = target.read_text(encoding="utf-8", errors="replace")
        if there == text or not start_page.is_ours(there):
            return
        if start_page.is_edited(there):
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
    with changing() as data:
        data["exercises"].setdefault(id_, {}).setdefault("facts", {})[name] = value


def recall(id_: str, name: str) -> str | None:
    """A fact of an exercise's start state."""
    found = progress()["exercises"].get(id_, {}).get("facts", {}).get(name)
    return None if found is None else str(found)


def record(id_: str, *, passed: bool, found: dict[str, Any]) -> None:
    """Keep what a check found; what was passed once stays passed until a reset."""
    with changing() as data:
        entry = data["exercises"].setdefault(id_, {})
        entry["last"] = found
        entry["checks"] = entry.get("checks", 0) + 1
        if passed:
            entry["state"] = "passed"


def last_found(id_: str) -> dict[str, Any] | None:
    """What the last check of an exercise found."""
    found = progress()["exercises"].get(id_, {}).get("last")
    return dict(found) if found else None


def ask(name: str, *, question: str = "", unit: str, lesson: str) -> dict[str, Any]:
    """Note what is asked, so that the ledger can tell it; an answer that is kept stays.

    Returns:
        All that is known of this prediction: `question`, `unit`, `lesson`; once committed `value`
        and `at`, and `late` if it came after the measurement; once measured `measured` and
        `measured_at`.
    """
    with changing() as data:
        entry = data["predictions"].setdefault(name, {})
        entry.setdefault("unit", unit)
        # A cell that was run without the ones above it knows neither; what is known stays.
        entry |= {k: v for k, v in (("lesson", lesson), ("question", question)) if v}
        return dict(entry)


def predict(name: str, value: float, unit: str) -> dict[str, Any]:
    """Commit a prediction; the first one is kept."""
    with changing() as data:
        entry = data["predictions"].setdefault(name, {})
        if "value" not in entry:
            entry |= {"value": value, "unit": unit, "at": _now(), "late": "measured" in entry}
        return dict(entry)


def measure(name: str, value: float, unit: str) -> dict[str, Any]:
    """Keep what was measured beside what was predicted; the latest is kept."""
    with changing() as data:
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
    engine = environment.current()
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
    with changing() as data:
        data["ledger"][f"{lesson}: {claim}"] = row
    return row
