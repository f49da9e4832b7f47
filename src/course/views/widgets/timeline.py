"""A Deployment's pods by version against time, with their readiness."""

from __future__ import annotations

from typing import Any

import traitlets

from course.views.widgets import stills
from course.views.widgets.live import MAXIMUM, Live, front
from course.views.widgets.pods import Samples, TimelineModel


class RolloutTimeline(Live):
    """The live view.

    Args:
        feed: a feed of samples, e.g. what `course.measure.rollout.Rollout.watch` gives.
        title: shown above it.
        maximum: seconds after which it ends, and the feed with it.
    """

    _model: TimelineModel
    _esm, _css = front("timeline")
    clock = traitlets.Float(0.0).tag(sync=True)

    def __init__(
        self, feed: Samples, *, title: str = "Pods by version", maximum: float = MAXIMUM
    ) -> None:
        super().__init__(feed, TimelineModel(), title=title, maximum=maximum)

    def _drawn(self) -> tuple[Any, str]:
        return stills.timeline(self._model, self.title)
