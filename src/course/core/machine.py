"""The machine's processor, as package registries name it."""

from __future__ import annotations

import platform

from course.core.errors import CourseError


def arch() -> str:
    """This machine's processor as Go and Docker name it: amd64 or arm64."""
    machine = platform.machine().lower()
    names = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
    if machine not in names:
        raise CourseError(
            f"this machine's processor is {machine}", "amd64 or arm64", "another machine"
        )
    return names[machine]
