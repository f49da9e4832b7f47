"""Pictures, cards and widgets: they draw what was measured and measure nothing themselves.

In a lesson: `from course.views import TrafficView, plot_layers, table`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.core.lazy_imports import lazy

if TYPE_CHECKING:
    from course.views.build_plots import plot_build_times, plot_cached_steps
    from course.views.layer_plots import plot_layers, plot_stages
    from course.views.pictures import table
    from course.views.plot_style import COLORS
    from course.views.widgets import RolloutTimeline, StrategyControl, TrafficView

_HOMES = {
    "COLORS": "course.views.plot_style",
    "RolloutTimeline": "course.views.widgets",
    "StrategyControl": "course.views.widgets",
    "TrafficView": "course.views.widgets",
    "plot_build_times": "course.views.build_plots",
    "plot_cached_steps": "course.views.build_plots",
    "plot_layers": "course.views.layer_plots",
    "plot_stages": "course.views.layer_plots",
    "table": "course.views.pictures",
}

__all__ = [
    "COLORS",
    "RolloutTimeline",
    "StrategyControl",
    "TrafficView",
    "plot_build_times",
    "plot_cached_steps",
    "plot_layers",
    "plot_stages",
    "table",
]

__getattr__ = lazy(__name__, _HOMES)
