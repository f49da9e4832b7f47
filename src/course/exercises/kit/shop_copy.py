"""Copies of what a learner has made of the shop, which get no request and leave no trace.

What would keep the shop from serving, or leave a revision in its history, is tried on a copy in the
same namespace: a learner on a shared cluster has only one. Its name is drawn, so that nobody can
have written its state beforehand; a check that is killed leaves at most a copy, which the next
start state deletes.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from course.core import waiting
from course.core.process import default_runner
from course.exercises.kit import lost_requests
from course.exercises.kit.facts import Facts
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import variables
from course.exercises.kit.shop import COPY, START
from course.exercises.kit.verdict import Wrong
from course.measure.rollout import Rollout
from course.measure.rollout.columns import condition

_CALL_WAIT = 30.0
_STARTING_MS = "600000"
"""Ten minutes: longer than any check, and the longest that the service takes."""
_KINDS = "deployments,replicasets,pods"

Object = dict[str, Any]


# -- a pod that cannot serve


@dataclass(frozen=True)
class Unready(Facts):
    """Whether a pod became Ready that could not serve all the while."""

    ready: bool
    seconds: float  # from when it was made
    deployment: Mapping[str, Any]  # what the learner has made of it, as the API sends it
    start: str  # the slow start that the exercise gives, in milliseconds

    def wrong(self) -> Wrong | None:
        if not self.ready:
            return None
        evidence = (
            "a pod of the same template, its probes' delays left out, was to answer 503 "
            f"`starting` for ten minutes and was Ready after {self.seconds:.0f} s"
        )
        return lost_requests.early(evidence, self.deployment, self.start)


class StartingPod:
    """A pod of the shop's template that goes on starting: its probes alone say what it is.

    A delay proves nothing about a probe, however long it is, so they are left out: what the probe
    asks is asked at once, and once a second.

    Args:
        lab: the exercise's.
        deployment: what the learner has made of it, as the API sends it.
        name: of the pod.
    """

    def __init__(self, lab: Lab, deployment: Object, name: str) -> None:
        self._lab, self._deployment, self._name = lab, deployment, name

    def manifest(self) -> Object:
        """Return the pod as it is made."""
        template = copy.deepcopy(self._deployment["spec"]["template"])
        spec = template["spec"]
        change = variables(template, {START: _STARTING_MS})["spec"]["template"]["spec"]
        for group, changed in change.items():
            given = {one["name"]: one["env"] for one in changed}
            for container in spec[group]:
                own = [{k: v for k, v in e.items() if v} for e in given.get(container["name"], [])]
                names = {e["name"] for e in own}
                kept = [e for e in container.get("env") or [] if e["name"] not in names]
                container["env"] = [*kept, *own]
                _without_delays(container)
        notes = (template.get("metadata") or {}).get("annotations") or {}
        meta = {"name": self._name, "labels": _labels(self._name), "annotations": notes}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    def seen(self, wait: float = 0.0) -> Unready:
        """Look whether it is Ready.

        Args:
            wait: seconds that are given to it to become so.
        """

        def ready() -> Object:
            made: Object = self._lab.api.get("pods", self._name)
            state = condition(made.get("status") or {}, "Ready")
            since = state.get("lastTransitionTime")
            return {"since": since, **made} if state.get("status") == "True" else {}

        found = waiting.eventually(ready, wait=wait, pause=0.5)
        seconds = 0.0
        if found:
            made = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
            seconds = (datetime.fromisoformat(found["since"]) - made).total_seconds()
        start = self._lab.recall(START)
        return Unready(bool(found), seconds, self._deployment, start)


def _without_delays(container: Object) -> None:
    container.pop("livenessProbe", None)  # it would end what is meant to go on
    for name in ("startupProbe", "readinessProbe"):
        if container.get(name):
            now = {"initialDelaySeconds": 0, "periodSeconds": 1, "successThreshold": 1}
            container[name] = {**container[name], **now}


@contextmanager
def starting_pod(lab: Lab, deployment: Object) -> Iterator[StartingPod]:
    """Make a pod that goes on starting, and remove it after.

    Args:
        lab: the exercise's.
        deployment: what the learner has made of it, as the API sends it.
    """
    made = StartingPod(lab, deployment, f"{COPY}-{lab.draw.word()}")
    with _made(lab, made.manifest()):
        yield made


# -- a Deployment


@contextmanager
def deployed(lab: Lab, deployment: Object) -> Iterator[Rollout]:
    """Make a copy of a Deployment, and remove it with its pods after.

    Args:
        lab: the exercise's.
        deployment: what the learner has made of it, as the API sends it.
    """
    name = f"{COPY}-{lab.draw.word()}"
    with _made(lab, copied(deployment, name)):
        yield Rollout(name)


def copied(deployment: Object, name: str) -> Object:
    """Return a Deployment like another one, with pods that no Service and no other one selects.

    Args:
        deployment: as the API sends it.
        name: of the copy.
    """
    spec = copy.deepcopy(deployment["spec"])
    labels = _labels(name)
    spec["selector"] = {"matchLabels": labels}
    spec["template"]["metadata"] = {**(spec["template"].get("metadata") or {}), "labels": labels}
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


@contextmanager
def _made(lab: Lab, thing: Object) -> Iterator[None]:
    runner, env = default_runner(), lab.env()
    text = json.dumps(thing)
    with lab.observe("a copy is made"):
        runner.run(["kubectl", "create", "-f", "-"], timeout=_CALL_WAIT, env=env, input=text)
    try:
        yield
    finally:
        now = ("--ignore-not-found", "--wait=false", "--force", "--grace-period=0")
        label = f"copy={thing['metadata']['name']}"
        with lab.observe("the copy is removed"):
            lab.run("kubectl", "delete", _KINDS, "-l", label, *now, wait=_CALL_WAIT)


def _labels(name: str) -> dict[str, str]:
    return {"app": COPY, "copy": name}
