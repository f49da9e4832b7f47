"""Start states and checks of 04-users-and-health, each exercise in a module of its own."""

from __future__ import annotations

from course.exercises import (  # noqa: F401 - exercises 1 to 4
    graceful_stop,
    health_checks,
    health_numbers,
    user_rights,
)
