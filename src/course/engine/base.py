"""What an engine is: where containers and pods run.

Two protocols. A lesson knows neither: it relies on the variables of `environment()` and on
capabilities alone, so that the same notebook runs unedited on every engine.

What `DOCKER_HOST` must answer, as lessons and checks use it:

* CLI: build, run, ps, logs, exec, cp, stop, rm, inspect, history, images, tag, push, pull,
  image rm, network create and rm, volume create and rm.
* SDK: ping, version, images.{get, list, build, pull, push, remove}, image.{history, tag, attrs},
  containers.{run, create, get, list}, container.{start, wait, logs, exec_run, put_archive,
  get_archive, stop, kill, remove, reload, attrs}, api.inspect_distribution.
"""

from __future__ import annotations

from typing import Protocol

from course.core.report import Report


class ContainerEngine(Protocol):
    """A Docker API."""

    def ensure(self, report: Report) -> None:
        """Make it answer; change nothing if it does.

        Raises:
            CourseError: it does not answer and cannot be started here.
        """

    def environment(self) -> dict[str, str]:
        """The variables by which lessons reach it."""

    def capabilities(self) -> set[str]:
        """What lessons may ask of it."""

    def stop(self) -> None:
        """End what `ensure` started; images stay."""


class Cluster(Protocol):
    """A Kubernetes API and a gateway."""

    def ensure(self, report: Report) -> None:
        """Make it run with every system pod ready; change nothing if it does.

        Raises:
            CourseError: it cannot be had here.
        """

    def environment(self) -> dict[str, str]:
        """The variables by which lessons reach it."""

    def capabilities(self) -> set[str]:
        """What lessons may ask of it."""

    def stop(self) -> None:
        """Remove what `ensure` made."""
