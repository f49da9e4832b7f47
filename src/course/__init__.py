"""DevOps for Backend Engineers: the helper package of the course.

In a notebook: `import course; course.setup("01-containers")`, then
`from course import begin, check, explain, hint`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.core.lazy_imports import lazy

if TYPE_CHECKING:
    from course.core.environment import has
    from course.exercises.kit.check import check, explain
    from course.notebook import (
        begin,
        compare,
        hint,
        ledger_row,
        predict,
        predicted,
        setup,
        wait_for,
    )
    from course.views.pictures import picture
    from course.views.release_plot import release_picture

_HOMES = {
    "check": "course.exercises.kit.check",
    "explain": "course.exercises.kit.check",
    "begin": "course.notebook",
    "compare": "course.notebook",
    "has": "course.core.environment",
    "hint": "course.notebook",
    "ledger_row": "course.notebook",
    "picture": "course.views.pictures",
    "predict": "course.notebook",
    "predicted": "course.notebook",
    "release_picture": "course.views.release_plot",
    "setup": "course.notebook",
    "wait_for": "course.notebook",
}

__all__ = [
    "begin",
    "check",
    "compare",
    "explain",
    "has",
    "hint",
    "ledger_row",
    "picture",
    "predict",
    "predicted",
    "release_picture",
    "setup",
    "wait_for",
]

__getattr__ = lazy(__name__, _HOMES)
