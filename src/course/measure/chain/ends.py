"""How the last run of a container ended: told alike while it waits, runs again and ends again."""

from __future__ import annotations

import re
from typing import Any

from course.measure.chain.objects import LATELY, Chain, Container, Thing
from course.measure.rollout.columns import moment

_MARGIN = 10.0
_TELLS = re.compile(
    r"error|exception|fatal|panic|missing|required|undefined|not set|not found|no such|denied"
    r"|forbidden|expired|no space|enotfound|could not|cannot|can't|unable|failed|bad address"
    r"|unknown|invalid|refused|must ",
    re.IGNORECASE,
)
_FRAME = re.compile(r"^\s+at |^Node\.js v|^Traceback|^npm (ERR|error)")
"""Lines around a cause: of a stack, or of what started the process."""


def last_end(chain: Chain, pod: Thing, c: Container) -> dict[str, Any]:
    """Return the last end of a container that does not stay up; empty if it is well.

    One that runs again is well once it has run for longer than it did before.
    """
    before = (c.status.get("lastState") or {}).get("terminated") or {}
    end: dict[str, Any] = c.state("terminated") or before
    # The kubelet writes `Unknown` of what was lost with its node: no fault of the container.
    if not end or end.get("reason") == "Unknown":
        return {}
    if running := c.state("running"):
        began, over = moment(end.get("startedAt")), moment(end.get("finishedAt"))
        ran = (over - began).total_seconds() if began and over else 0.0
        is_well = chain.seconds_since(running["startedAt"]) > min(2 * ran + _MARGIN, LATELY)
        return {} if is_well else end
    ends_once = pod.spec.get("restartPolicy", "Always") != "Always" or ".initContainers[" in c.place
    return {} if ends_once and not end.get("exitCode") else end


def last_words(chain: Chain, pod: Thing, c: Container) -> str:
    """Return the last line of a container's log that tells a cause, else its last line."""
    said = chain.logs.get((pod.name, c.name), "").splitlines()
    lines = [text for text in said if text.strip() and not _FRAME.search(text)]
    return ([text for text in lines if _TELLS.search(text)] or lines or [""])[-1].strip()
