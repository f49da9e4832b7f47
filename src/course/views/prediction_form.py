"""The form in which a prediction is committed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

_HERE = Path(__file__).parent


class Form(anywidget.AnyWidget):  # type: ignore[misc]
    """A question with a field for one number.

    Args:
        question: what is asked.
        unit: of the number.
        commit: given what was typed; says what is shown beside the field, and whether the
            prediction is kept now.
    """

    _esm = _HERE / "predict.js"
    _css = _HERE / "predict.css"
    question = traitlets.Unicode().tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    kept = traitlets.Bool(default_value=False).tag(sync=True)

    def __init__(self, question: str, unit: str, commit: Callable[[str], tuple[str, bool]]) -> None:
        super().__init__(question=question, unit=unit)
        self._commit = commit
        self.on_msg(self._typed)

    def _typed(self, _: object, content: dict[str, Any], __: object) -> None:
        if not self.kept:
            self.said, self.kept = self._commit(str(content.get("number", "")))

    def __repr__(self) -> str:
        return f"{self.question} ({self.unit})"
