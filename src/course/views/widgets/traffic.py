"""Answered requests as they come: a cell each, coloured by version, errors by their shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import traitlets

from course.views.widgets import stills
from course.views.widgets.answers import Run, TrafficModel, Weights
from course.views.widgets.live import MAXIMUM, Live, front


class TrafficView(Live):
    """The live view.

    Args:
        run: a feed of batches, e.g. what `course.measure.traffic.start` gives.
        title: shown above it.
        weights: called once a second: (set, routed) weights in percent by version.
        maximum: seconds after which it ends, and the run with it.
    """

    _model: TrafficModel
    _esm, _css = front("traffic")
    numbers = traitlets.List([]).tag(sync=True)

    def __init__(
        self,
        run: Run,
        *,
        title: str = "Traffic",
        weights: Callable[[], tuple[Weights, Weights]] | None = None,
        maximum: float = MAXIMUM,
    ) -> None:
        self._weights = weights
        self._weighed = -math.inf
        super().__init__(run, TrafficModel(), title=title, maximum=maximum)

    def _update(self, seconds: float) -> None:
        if self._weights and seconds - self._weighed >= 1.0:
            self._weighed = seconds
            try:
                self._model.weigh(*self._weights())
            except Exception:  # a route that is being changed may not be there for a moment
                self._model.weigh({}, {})
        super()._update(seconds)

    def _closing(self) -> dict[str, Any]:
        return {"numbers": self._model.numbers()}

    def _drawn(self) -> tuple[Any, str]:
        return stills.traffic(self._model, self.title)
