"""The figures that are kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

from course.core.process import default_runner
from course.dev import results
from course.dev.results import Row


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
    assert "*(stale)*" in results.page(root, default_runner())


def test_of_twenty_values_one_may_exceed_their_p95() -> None:
    assert results.p95([float(value) for value in range(20, 0, -1)]) == 19
    assert results.p95([3.0]) == 3
