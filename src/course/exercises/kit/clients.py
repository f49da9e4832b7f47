"""The clients by which checks look at the engine, and the variables that say where it is."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from course.core import environment
from course.core.errors import CourseError
from course.measure import docker_client, leftovers

if TYPE_CHECKING:
    from course.measure.kube_api import Kubernetes

_CALL_WAIT = 20
_GONE, _FAILED = 404, 500
_made: dict[str, Any] = {}
_making = threading.Lock()


def variable(name: str) -> str:
    """Return one of the engine's variables, as this process has it."""
    return os.environ.get(name) or environment.environment()[name]


def env() -> dict[str, str]:
    """Return the engine's variables, as this process has them."""
    own = {k: os.environ[k] for k in environment.LESSON_VARIABLES if k in os.environ}
    return environment.environment() | own


def docker() -> Any:
    """Return a Docker SDK client; the first of a process removes what killed ones left behind.

    Raises:
        CourseError: no Docker answers.
    """
    host = variable("DOCKER_HOST")
    if host not in _made:
        if wrong := docker_client.refused(host):
            raise wrong
        try:
            client = docker_client.client(host, timeout=_CALL_WAIT)
            client.ping()
        except Exception as error:
            raise _no_docker() from error
        _made[host] = client
        leftovers.remove(client)
    return _made[host]


@contextlib.contextmanager
def translate_docker_errors() -> Iterator[None]:
    """Look at the world inside; a Docker that has stopped since it was first asked is told.

    Raises:
        CourseError: Docker does not answer any more, or fails, or no longer has what it had a
            moment ago.
    """
    import requests  # what Docker's SDK asks with

    try:
        yield
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _no_docker() from error
    except requests.HTTPError as error:  # as the SDK's own errors are
        status = error.response.status_code if error.response is not None else 0
        said = str(getattr(error, "explanation", "") or error)
        if status == _GONE:
            raise CourseError(
                f"it is gone while the check looks at it: {said}",
                "images and containers that stay until the check has ended",
                "what else removes them now? then run the check again",
            ) from error
        if status >= _FAILED:
            raise CourseError(
                f"Docker itself failed: {said}", "an answer of Docker's", "course doctor"
            ) from error
        raise


def _no_docker() -> CourseError:
    host = variable("DOCKER_HOST")
    return CourseError(f"no Docker answers at {host}", "an answer", "course up")


def kubernetes() -> Kubernetes:
    """Return the API of the cluster, in the namespace of the kubeconfig's context.

    Raises:
        CourseError: there is no kubeconfig, or it cannot be read.
    """
    from course.measure.kube_api import Kubernetes

    name = variable("KUBECONFIG")
    with _making:  # threads ask, too
        if name not in _made:
            _made[name] = Kubernetes()
    found: Kubernetes = _made[name]
    return found
