"""What `kubectl get pods` prints of a pod, from the object as the API sends it.

The API server makes these columns, not kubectl: `printPod` in Kubernetes 1.36.4,
https://github.com/kubernetes/kubernetes/blob/v1.36.4/pkg/printers/internalversion/printers.go.
Here are its rules; tests compare them with what a server prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Object = Mapping[str, Any]

FINISHED = ("Succeeded", "Failed")
"""Phases that a pod never leaves: a ReplicaSet and a Service no longer count it."""
_GATED = "SchedulingGated"
_SECOND, _MINUTE, _HOUR, _DAY, _YEAR = 1, 60, 3600, 86_400, 31_536_000


@dataclass(frozen=True)
class Columns:
    """One pod's row.

    Args:
        name: column NAME.
        ready: containers that are ready, native sidecars among them.
        containers: those that there are to be; `ready`/`containers` is column READY.
        status: column STATUS: one word, e.g. `Running`, `Init:0/1`, `CrashLoopBackOff`.
        restarts: the figure of column RESTARTS.
        restarted: when a container last ended before such a restart, if that is known.
        made: when the pod was made, if that is known.
    """

    name: str
    ready: int
    containers: int
    status: str
    restarts: int
    restarted: datetime | None
    made: datetime | None

    def cells(self, now: datetime) -> tuple[str, str, str, str, str]:
        """NAME, READY, STATUS, RESTARTS and AGE as they are printed.

        Args:
            now: for the durations.
        """
        ago = f" ({since(self.restarted, now)} ago)" if self.restarts and self.restarted else ""
        ready, age = f"{self.ready}/{self.containers}", since(self.made, now)
        return self.name, ready, self.status, f"{self.restarts}{ago}", age


def columns(pod: Object) -> Columns:
    """The row of a pod.

    Args:
        pod: as the API sends it; `status` and what is in it may be missing.
    """
    meta, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    status = pod.get("status") or {}
    first = spec.get("initContainers") or []
    sidecars = {c.get("name") for c in first if is_sidecar(c)}
    word = str(status.get("reason") or status.get("phase") or "")
    if condition(status, "PodScheduled").get("reason") == _GATED:
        word = _GATED
    ready, restarts, of_sidecars, starting = 0, _Restarts(), _Restarts(), ""
    for number, container in enumerate(status.get("initContainerStatuses") or []):
        sidecar = container.get("name") in sidecars
        restarts.add(container)
        if sidecar:
            of_sidecars.add(container)
        starting = _starting(container, sidecar, f"{number}/{len(first)}")
        if starting:
            word = starting
            break
        ready += bool(sidecar and not _succeeded(container) and container.get("ready"))
    if not starting or condition(status, "Initialized").get("status") == "True":
        # What an init container had to do is done, and its restarts with it.
        restarts = of_sidecars
        running, word = _running(status, word, restarts)
        ready += running
    if meta.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            word = "Unknown"
        elif not is_finished(pod):
            word = "Terminating"
    return Columns(
        name=str(meta.get("name", "")),
        ready=ready,
        containers=len(spec.get("containers") or []) + len(sidecars),
        status=word,
        restarts=restarts.count,
        restarted=restarts.last,
        made=moment(meta.get("creationTimestamp")),
    )


@dataclass
class _Restarts:
    """Restarts of some containers, and the last end that was followed by one."""

    count: int = 0
    last: datetime | None = None

    def add(self, container: Object) -> None:
        self.count += int(container.get("restartCount") or 0)
        ended = (container.get("lastState") or {}).get("terminated") or {}
        at = moment(ended.get("finishedAt"))
        if at and (self.last is None or self.last < at):
            self.last = at


def _starting(container: Object, sidecar: bool, place: str) -> str:
    """Why an init container is not done yet; empty if it is, or is a sidecar that has started."""
    if _succeeded(container) or (sidecar and container.get("started")):
        return ""
    if (ended := _ended(container)) is not None:
        return f"Init:{_ending(ended)}"
    waits = _waits(container)
    return f"Init:{waits}" if waits and waits != "PodInitializing" else f"Init:{place}"


def _running(status: Object, word: str, restarts: _Restarts) -> tuple[int, str]:
    """How many containers are ready, and the word for the pod; their restarts are added."""
    ready, failed = 0, ""
    for container in reversed(status.get("containerStatuses") or []):
        restarts.add(container)
        ended, waits = _ended(container), _waits(container)
        if waits:
            word = waits
        elif ended is not None:
            word = _ending(ended)
            failed = word if ended.get("exitCode") else failed
        elif container.get("ready") and (container.get("state") or {}).get("running") is not None:
            ready += 1
    if word == "Completed":
        # At least one has ended well; those that still run, or have failed, say more.
        if ready and condition(status, "Ready").get("status") == "True":
            word = "Running"
        elif failed:
            word = failed
        elif ready:
            word = "NotReady"
    return ready, word


def _waits(container: Object) -> str:
    return str(((container.get("state") or {}).get("waiting") or {}).get("reason") or "")


def _ended(container: Object) -> Object | None:
    ended: Object | None = (container.get("state") or {}).get("terminated")
    return ended


def _succeeded(container: Object) -> bool:
    ended = _ended(container)
    return ended is not None and not ended.get("exitCode")


def _ending(ended: Object) -> str:
    """A container's end in a word."""
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode') or 0}"


def is_sidecar(container: Object) -> bool:
    """Whether an init container is a native sidecar: it goes on while the pod runs."""
    return container.get("restartPolicy") == "Always"


def is_finished(pod: Object) -> bool:
    """Whether a pod has ended for good: evicted, failed or completed."""
    return (pod.get("status") or {}).get("phase") in FINISHED


def condition(status: Object, kind: str) -> dict[str, Any]:
    """A condition by its type, wherever it stands; empty if it is not there."""
    return next((dict(c) for c in status.get("conditions") or [] if c.get("type") == kind), {})


def moment(text: object) -> datetime | None:
    """A time as the API writes it; `None` if there is none."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
    except ValueError:
        return None


def since(then: datetime | None, now: datetime) -> str:
    """The time that has passed, with two figures at the most: `5m`, `2m10s`, `3d4h`.

    As `HumanDuration` in k8s.io/apimachinery/pkg/util/duration. Two clocks may differ: a moment
    that is up to a second ahead is now, one that is further ahead is `<invalid>`.
    """
    if then is None:
        return "<unknown>"
    exact = (now - then).total_seconds()
    seconds = int(exact)
    if seconds < -1:
        return "<invalid>"
    seconds = max(0, seconds)
    whole, part = next(units for below, units in _PRECISION if seconds < below)
    rest = seconds % whole // part if part else 0
    text = f"{seconds // whole}{_UNITS[whole]}"
    return f"{text}{rest}{_UNITS[part]}" if rest else text


_UNITS = {_SECOND: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d", _YEAR: "y"}
_PRECISION: tuple[tuple[float, tuple[int, int]], ...] = (
    (2 * _MINUTE, (_SECOND, 0)),
    (10 * _MINUTE, (_MINUTE, _SECOND)),
    (3 * _HOUR, (_MINUTE, 0)),
    (8 * _HOUR, (_HOUR, _MINUTE)),
    (2 * _DAY, (_HOUR, 0)),
    (8 * _DAY, (_DAY, _HOUR)),
    (2 * _YEAR, (_DAY, 0)),
    (8 * _YEAR, (_YEAR, _DAY)),
    (float("inf"), (_YEAR, 0)),
)
"""Durations below so many seconds are told in this unit, and in that one where it is not 0."""
