"""Which answers are judged first, when there may be no time for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from tests.bank import Answer

Entry = tuple[str, Answer]
SHARED = (
    *("src/course/checks.py", "src/course/world.py", "src/course/builds.py"),
    *("src/course/copies.py", "tests/bank/test_"),
)
"""What every check goes through: a change of it concerns all topics."""


def order(
    entries: Sequence[Entry], modules: dict[str, str], changed: set[str] | None, commit: str
) -> list[Entry]:
    """Topics with changed files first, the rest rotated by the commit.

    Args:
        entries: exercise id and answer, in the order of the course.
        modules: exercise id → its lesson's module.
        changed: files changed since all answers were last judged; `None` if that is not known.
        commit: the hash that rotates, so that another commit begins elsewhere.
    """
    if changed is None or any(file.startswith(SHARED) for file in changed):
        first: list[Entry] = []
    else:
        touched = {m for m in modules.values() if any(f"/{m}.py" in file for file in changed)}
        first = [entry for entry in entries if modules[entry[0]] in touched]
    rest = [entry for entry in entries if entry not in first]
    by = int(commit[:8] or "0", 16) % len(rest) if rest else 0
    return [*first, *rest[by:], *rest[:by]]
