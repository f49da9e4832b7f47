"""What the variables of a command are."""

from __future__ import annotations

from course.core.process import Runner


def said(runner: Runner, name: str, env: dict[str, str] | None = None) -> str:
    """What a variable is for a command."""
    return runner.run(["printenv", name], timeout=10, env=env, check=False).stdout.strip()
