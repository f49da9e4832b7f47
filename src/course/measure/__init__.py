"""Instruments that lessons and checks measure with.

In a lesson: `from course.measure import builds, traffic, Rollout`. Nothing here knows of lessons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.core.lazy_imports import lazy

if TYPE_CHECKING:
    from course.measure import builds, traffic
    from course.measure.layers import image_layers
    from course.measure.release import TIMED_OUT, merge_feeds
    from course.measure.rollout import Rollout
    from course.measure.traffic import split

_HOMES = {
    "Rollout": "course.measure.rollout",
    "TIMED_OUT": "course.measure.release",
    "builds": "course.measure.builds",
    "image_layers": "course.measure.layers",
    "merge_feeds": "course.measure.release",
    "split": "course.measure.traffic.split",
    "traffic": "course.measure.traffic",
}

__all__ = ["TIMED_OUT", "Rollout", "builds", "image_layers", "merge_feeds", "split", "traffic"]

__getattr__ = lazy(__name__, _HOMES)
