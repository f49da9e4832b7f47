"""What an engine is: where containers and pods run.

Protocols, cut from what add-ons, `up` and the doctor ask of an engine. A lesson knows none of them:
it relies on the variables of `environment()` and on capabilities alone, so that the same notebook
runs unedited on every engine. An engine is a module that keeps them and an entry in `detect`.

What `DOCKER_HOST` must answer, as lessons and checks use it:

* CLI: build, run, ps, logs, exec, cp, stop, rm, inspect, history, images, tag, push, pull,
  image rm, network create and rm, volume create and rm.
* SDK: ping, version, images.{get, list, build, pull, push, remove}, image.{history, tag, attrs},
  containers.{run, create, get, list}, container.{start, wait, logs, exec_run, put_archive,
  get_archive, stop, kill, remove, reload, attrs}, api.inspect_distribution.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from course.core.process import Runner
from course.core.report import Report

OLDEST_DOCKER = (24, 0)
"""The oldest Docker that answers all of these calls."""


class ContainerEngine(Protocol):
    """A Docker API."""

    def host(self) -> str:
        """Its address, or where it would be: what `DOCKER_HOST` must be."""

    def answers(self) -> bool:
        """Whether it runs."""

    def ensure(self, report: Report) -> None:
        """Make it answer; change nothing if it does.

        Raises:
            CourseError: it does not answer and cannot be started here.
        """

    def environment(self) -> dict[str, str]:
        """The variables by which lessons reach it."""

    def commands(self) -> Runner:
        """What runs commands that reach it, the course's own tools first on their PATH."""

    def capabilities(self) -> set[str]:
        """What lessons may ask of it.

        Raises:
            CourseError: it does not say.
        """

    def remove_owned(self) -> None:
        """Remove what the course and its checks made in it; images of the course stay."""

    def purge(self) -> None:
        """Remove the images and volumes of the course."""

    def stop(self) -> None:
        """End what `ensure` started; images stay."""


class ImageRegistry(Protocol):
    """A registry from which the cluster pulls."""

    @property
    def address(self) -> str:
        """What `$REGISTRY` holds."""

    def answers(self) -> bool:
        """Whether it speaks the registry protocol."""

    def ensure(self, report: Report) -> None:
        """Make it answer; change nothing if it does.

        Raises:
            CourseError: it cannot be had here.
        """

    def mirror(self, ref: str) -> None:
        """Push an image of Docker Hub's name, so that the cluster finds it here first."""


class Cluster(Protocol):
    """A Kubernetes API and a gateway."""

    @property
    def runner(self) -> Runner:
        """What runs commands that reach it and the container engine: kubectl, docker."""

    @property
    def registry(self) -> ImageRegistry:
        """Where it pulls from."""

    @property
    def http_port(self) -> int:
        """The port of 127.0.0.1 at which its gateway answers."""

    def ensure(self, report: Report) -> None:
        """Make it run with every system pod ready; change nothing if it does.

        Raises:
            CourseError: it cannot be had here.
        """

    def ours(self) -> bool:
        """Whether the cluster of our name is the one that `ensure` made, running or not."""

    def made_from(self) -> Iterable[str]:
        """What it is told when it is there: where this changes, `ensure` is due again."""

    def kubectl(self, *argv: str, check: bool = True, wait: float = 60) -> str:
        """The output of one kubectl command on it.

        Args:
            argv: the command without `kubectl`.
            check: raise if it fails.
            wait: deadline in seconds.

        Raises:
            CommandError: it failed.
        """

    def apply(self, manifest: str, namespace: str = "") -> None:
        """Apply a manifest's text: put back every field that it names, whoever changed it.

        Args:
            manifest: its text.
            namespace: of its objects; the kubeconfig's own by default.
        """

    def environment(self) -> dict[str, str]:
        """The variables by which lessons reach it."""

    def capabilities(self) -> set[str]:
        """What lessons may ask of it."""

    def stop(self) -> None:
        """Remove what `ensure` made."""
