"""Instruments that lessons and checks measure with.

In a lesson: `from course.measure import builds, traffic, Rollout`. Nothing here knows of lessons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.core.faces import lazy

if TYPE_CHECKING:
    from course.measure import builds, traffic
    from course.measure.layers import pieces
    from course.measure.release import SLOW, read
    from course.measure.rollout import Rollout
    from course.measure.traffic import split

_HOMES = {
    "Rollout": "course.measure.rollout",
    "SLOW": "course.measure.release",
    "builds": "course.measure.builds",
    "pieces": "course.measure.layers",
    "read": "course.measure.release",
    "split": "course.measure.traffic.split",
    "traffic": "course.measure.traffic",
}

__all__ = ["SLOW", "Rollout", "builds", "pieces", "read", "split", "traffic"]

__getattr__ = lazy(__name__, _HOMES)
