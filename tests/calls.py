"""What the calls that a fake runner took would have changed."""

from __future__ import annotations

from course.core.process import FakeRunner

CHANGES = ("rm", "stop", "kill", "start", "run", "delete", "rename", "pull", "tag")


def changed(fake: FakeRunner) -> list[tuple[str, ...]]:
    """The calls that would change something."""
    return [call for call in fake.calls if set(call) & set(CHANGES)]
