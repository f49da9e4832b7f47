"""Pictures, cards and widgets: they draw what was measured and measure nothing themselves.

In a lesson: `from course.views import TrafficView, stacks, table`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.core.faces import lazy

if TYPE_CHECKING:
    from course.views.builds import bars, chains
    from course.views.images import stacks, stages
    from course.views.pictures import COLORS, table
    from course.views.widgets import RolloutTimeline, StrategyControl, TrafficView

_HOMES = {
    "COLORS": "course.views.pictures",
    "RolloutTimeline": "course.views.widgets",
    "StrategyControl": "course.views.widgets",
    "TrafficView": "course.views.widgets",
    "bars": "course.views.builds",
    "chains": "course.views.builds",
    "stacks": "course.views.images",
    "stages": "course.views.images",
    "table": "course.views.pictures",
}

__all__ = [
    "COLORS",
    "RolloutTimeline",
    "StrategyControl",
    "TrafficView",
    "bars",
    "chains",
    "stacks",
    "stages",
    "table",
]

__getattr__ = lazy(__name__, _HOMES)
