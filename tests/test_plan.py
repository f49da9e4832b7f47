"""The order of the bank, and the figures that are kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

from course import results
from course.results import Row
from course.run import runner
from tests.bank import Answer
from tests.bank.plan import order

ENTRIES = [
    (f"{m}-{i}", Answer(f"{m}{i}", lambda _: None, "", "alternative"))
    for m in "abc"
    for i in (1, 2)
]
MODULES = {id_: id_[0] for id_, _ in ENTRIES}


def ids(changed: set[str] | None, commit: str = "0") -> list[str]:
    return [id_ for id_, _ in order(ENTRIES, MODULES, changed, commit)]


def test_what_changed_is_judged_first_and_nothing_is_left_out() -> None:
    assert ids({"src/course/exercises/b.py"})[:2] == ["b-1", "b-2"]
    assert sorted(ids({"tests/bank/c.py"}, "3")) == sorted(MODULES)


def test_another_commit_begins_elsewhere() -> None:
    assert ids(set(), "1") == ["a-2", "b-1", "b-2", "c-1", "c-2", "a-1"]
    assert ids(None, "0") == ids({"src/course/world.py"}, "0") == list(MODULES)


def git(root: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "-C", root, *identity, *words], check=True, capture_output=True)


def test_a_row_is_replaced_and_stale_once_its_subject_changed(home: Path) -> None:
    root = home / "clone"
    root.mkdir()
    git(root, "init")
    (root / "a.py").write_text("1")
    git(root, "add", ".")
    git(root, "commit", "-m", "one")
    results.keep([Row("speed", "2 s", "< 3 s", True, "here", ("a.py",))], root=root)
    results.keep([Row("speed", "4 s", "< 3 s", False, "here", ("a.py",))], root=root)
    page = (root / "bench" / "RESULTS.md").read_text()
    assert "| speed | 4 s | < 3 s | **no** | here |" in page
    assert "2 s" not in page and "*(stale)*" not in page
    (root / "a.py").write_text("2")
    git(root, "commit", "-am", "two")
    assert "*(stale)*" in results.page(root, runner())
