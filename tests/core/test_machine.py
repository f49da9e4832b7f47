"""course.core.machine: the processor, as registries name it."""

from __future__ import annotations

import pytest

from course.core.errors import CourseError
from course.core.machine import arch


def test_another_processor_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(CourseError, match="riscv64"):
        arch()
