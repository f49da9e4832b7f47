"""course.learner.saves: what is about to be replaced is saved."""

from __future__ import annotations

from pathlib import Path

from course.core import paths
from course.learner.saves import save


def test_two_saves_in_one_second_are_two(mini: Path) -> None:
    for text in ("a", "b"):
        (paths.work() / "x").mkdir(parents=True, exist_ok=True)
        (paths.work() / "x" / "f").write_text(text)
        save([paths.work() / "x"])
    saved = sorted((paths.work() / ".saved").glob("*/x/f"))
    assert sorted(s.read_text() for s in saved) == ["a", "b"]
    assert save([paths.work() / "nothing"]) is None
