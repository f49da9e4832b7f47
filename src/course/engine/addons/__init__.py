"""What runs in the cluster beside the lessons: an add-on is one module and one entry of `ALL`."""

from __future__ import annotations

from course.engine.addons import orders, traefik
from course.engine.addons.addon import Addon

ALL: tuple[Addon, ...] = (traefik.ADDON, orders.ADDON)
"""Every add-on, in the order in which they are installed."""
