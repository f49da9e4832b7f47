"""Which engine this machine gets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from course.core.errors import CourseError

KNOWN = ("kind",)


def choose(
    env: Mapping[str, str],
    *,
    docker_answers: Callable[[], bool],
    may_install: Callable[[], bool],
) -> str:
    """The engine's name.

    `COURSE_ENGINE` decides; else Docker if it answers; else, as root on Debian or Ubuntu,
    a Docker that the course installs and starts. Never by sudo.

    Args:
        env: the environment.
        docker_answers: whether a Docker answers.
        may_install: whether Docker may be installed without asking.

    Raises:
        CourseError: an unknown name, or no engine can be had.
    """
    asked = env.get("COURSE_ENGINE", "")
    if asked and asked not in KNOWN:
        raise CourseError(
            f"COURSE_ENGINE is `{asked}`", f"one of: {', '.join(KNOWN)}", "make start ENGINE=kind"
        )
    if docker_answers() or may_install():
        return asked or "kind"
    raise CourseError(
        "no Docker answers, and the course installs one only as root on Debian or Ubuntu",
        "a running Docker 24 or later",
        "install Docker Desktop or Docker Engine, start it, then: course doctor; make start",
    )
