"""Commands that reach an engine: its variables go with each of them, and not into this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course.core.process import Completed, Runner


@dataclass(frozen=True)
class EnvRunner:
    """A `Runner` whose commands all get some variables more.

    Args:
        runner: runs them.
        variables: what each command gets; what one is given by itself wins.
    """

    runner: Runner
    variables: Mapping[str, str]

    def run(
        self, argv: Sequence[object], *, env: Mapping[str, str] | None = None, **options: Any
    ) -> Completed:
        """See `Runner.run`."""
        return self.runner.run(argv, env={**self.variables, **(env or {})}, **options)
