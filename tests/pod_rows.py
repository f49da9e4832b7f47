"""Pods as the API sends them, each with the READY, STATUS and RESTARTS that kubectl prints.

`test_rollout_columns` reads them; `cluster/test_columns` gives the same ones to a real API server,
which prints its own row for each.
"""

from __future__ import annotations

import random
from typing import Any

Object = dict[str, Any]
MADE = "2026-01-01T00:00:00Z"
ENDED = "2026-01-01T00:04:00Z"
SIDECAR = {"restartPolicy": "Always"}

RUNNING: Object = {"running": {"startedAt": MADE}}
STARTING = {"waiting": {"reason": "ContainerCreating"}}
INITIALIZING = {"waiting": {"reason": "PodInitializing"}}
DONE: Object = {"terminated": {"exitCode": 0, "reason": "Completed"}}


def waits(reason: str) -> Object:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", signal: int = 0) -> Object:
    """A container that has ended; without a reason or a signal where none is given."""
    told = {"exitCode": code, "reason": reason, "signal": signal}
    return {"terminated": {key: value for key, value in told.items() if value or key == "exitCode"}}


def state(name: str, what: Object | None = None, **more: Any) -> Object:
    """What the kubelet tells of a container; `ready` goes with running unless it is given."""
    what = RUNNING if what is None else what
    ready = more.pop("ready", "running" in what)
    told = {"name": name, "state": what, "ready": ready, "restartCount": more.pop("restarts", 0)}
    if "last" in more:
        told["lastState"] = {"terminated": {"exitCode": 1, "finishedAt": more.pop("last")}}
    return {"image": "i", "imageID": "", **told, **more}


def pod(
    *states: Object,
    init: tuple[Object, ...] = (),
    sidecars: tuple[str, ...] = (),
    phase: str = "Running",
    reason: str = "",
    conditions: dict[str, str] | None = None,
    leaving: bool = False,
    gated: bool = False,
    containers: int = 0,
) -> Object:
    """A pod.

    Args:
        states: of its containers; each is named in the spec.
        init: those of its init containers.
        sidecars: init containers that are native sidecars.
        phase: of the pod.
        reason: of the pod, e.g. `Evicted`.
        conditions: type → status.
        leaving: it has been asked to end.
        gated: it has a scheduling gate.
        containers: how many the spec has, where no state is told of them.
    """
    names = [s["name"] for s in states] or [f"c{i}" for i in range(containers or 1)]
    spec: Object = {"containers": [{"name": name, "image": "i"} for name in names]}
    if init:
        spec["initContainers"] = [
            {"name": s["name"], "image": "i", **(SIDECAR if s["name"] in sidecars else {})}
            for s in init
        ]
    told = [{"type": kind, "status": value} for kind, value in (conditions or {}).items()]
    if gated:
        spec["schedulingGates"] = [{"name": "example.com/gate"}]
        told += [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
    status: Object = {"phase": phase, "conditions": told}
    status |= {"reason": reason} if reason else {}
    status |= {"containerStatuses": list(states)} if states else {}
    status |= {"initContainerStatuses": list(init)} if init else {}
    meta: Object = {"name": "p", "creationTimestamp": MADE}
    meta |= {"deletionTimestamp": MADE} if leaving else {}
    return {"metadata": meta, "spec": spec, "status": status}


NOT_INITIALIZED = {"Initialized": "False"}
INITIALIZED = {"Initialized": "True"}
READY = {"Ready": "True"}

ROWS: dict[str, tuple[Object, str, str, int]] = {
    "running": (pod(state("a"), conditions=READY), "1/1", "Running", 0),
    "one of two is not ready": (pod(state("a"), state("b", ready=False)), "1/2", "Running", 0),
    "no node yet": (
        pod(phase="Pending", conditions={"PodScheduled": "False"}, containers=2),
        "0/2",
        "Pending",
        0,
    ),
    "gated": (pod(phase="Pending", gated=True), "0/1", "SchedulingGated", 0),
    "creating": (pod(state("a", STARTING), phase="Pending"), "0/1", "ContainerCreating", 0),
    "no image": (pod(state("a", waits("ImagePullBackOff"))), "0/1", "ImagePullBackOff", 0),
    "no image, and none pulled": (
        pod(state("a", waits("ErrImageNeverPull")), phase="Pending"),
        "0/1",
        "ErrImageNeverPull",
        0,
    ),
    "no configuration": (
        pod(state("a", waits("CreateContainerConfigError")), phase="Pending"),
        "0/1",
        "CreateContainerConfigError",
        0,
    ),
    "crashing": (
        pod(state("a", waits("CrashLoopBackOff"), restarts=4, last=ENDED)),
        "0/1",
        "CrashLoopBackOff",
        4,
    ),
    "out of memory": (pod(state("a", ended(137, "OOMKilled"), restarts=1)), "0/1", "OOMKilled", 1),
    "ended badly": (pod(state("a", ended(1, "Error"))), "0/1", "Error", 0),
    "ended by a signal, no reason": (pod(state("a", ended(137, signal=9))), "0/1", "Signal:9", 0),
    "ended, no reason": (pod(state("a", ended(3))), "0/1", "ExitCode:3", 0),
    "a job that is done": (pod(state("a", DONE), phase="Succeeded"), "0/1", "Completed", 0),
    "a job that failed": (pod(state("a", ended(2, "Error")), phase="Failed"), "0/1", "Error", 0),
    "done beside one that is ready": (
        pod(state("a", DONE), state("b"), conditions=READY),
        "1/2",
        "Running",
        0,
    ),
    "done beside one that runs": (pod(state("a", DONE), state("b")), "1/2", "NotReady", 0),
    "done beside one that failed": (
        pod(state("a", DONE), state("b", ended(1, "Error"))),
        "0/2",
        "Error",
        0,
    ),
    "the first container has the last word": (
        pod(state("a", waits("CrashLoopBackOff")), state("b", waits("ImagePullBackOff"))),
        "0/2",
        "CrashLoopBackOff",
        0,
    ),
    "evicted": (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted", 0),
    "its node came back without it": (
        pod(state("a", ended(137, "ContainerStatusUnknown")), phase="Failed", reason="Evicted"),
        "0/1",
        "ContainerStatusUnknown",
        0,
    ),
    "leaving": (pod(state("a"), leaving=True), "1/1", "Terminating", 0),
    "leaving, and its node is lost": (
        pod(state("a"), reason="NodeLost", leaving=True),
        "1/1",
        "Unknown",
        0,
    ),
    "leaving, and done": (
        pod(state("a", DONE), phase="Succeeded", leaving=True),
        "0/1",
        "Completed",
        0,
    ),
    "first things first": (
        pod(
            state("a", INITIALIZING),
            init=(state("i"), state("j", INITIALIZING)),
            phase="Pending",
            conditions=NOT_INITIALIZED,
        ),
        "0/1",
        "Init:0/2",
        0,
    ),
    "the second thing": (
        pod(
            state("a", INITIALIZING),
            init=(state("i", DONE), state("j")),
            phase="Pending",
            conditions=NOT_INITIALIZED,
        ),
        "0/1",
        "Init:1/2",
        0,
    ),
    "the first thing fails": (
        pod(
            state("a", INITIALIZING),
            init=(state("i", ended(1, "Error"), restarts=2, last=ENDED),),
            phase="Pending",
            conditions=NOT_INITIALIZED,
        ),
        "0/1",
        "Init:Error",
        2,
    ),
    "the first thing crashes": (
        pod(
            state("a", INITIALIZING),
            init=(state("i", waits("CrashLoopBackOff"), restarts=3),),
            phase="Pending",
        ),
        "0/1",
        "Init:CrashLoopBackOff",
        3,
    ),
    "the first thing has no image": (
        pod(state("a", INITIALIZING), init=(state("i", waits("ErrImagePull")),), phase="Pending"),
        "0/1",
        "Init:ErrImagePull",
        0,
    ),
    "the first thing was ended by a signal": (
        pod(state("a", INITIALIZING), init=(state("i", ended(137, signal=9)),), phase="Pending"),
        "0/1",
        "Init:Signal:9",
        0,
    ),
    "the first thing ended, no reason": (
        pod(state("a", INITIALIZING), init=(state("i", ended(3)),), phase="Pending"),
        "0/1",
        "Init:ExitCode:3",
        0,
    ),
    "all first things are done": (
        pod(state("a", INITIALIZING), init=(state("i", DONE, restarts=5),), phase="Pending"),
        "0/1",
        "PodInitializing",
        0,
    ),
    "restarts of what is done are forgotten": (
        pod(
            state("a", restarts=1, last=ENDED),
            init=(state("i", DONE, restarts=5, last=ENDED),),
            conditions={**READY, **INITIALIZED},
        ),
        "1/1",
        "Running",
        1,
    ),
    "a sidecar counts": (
        pod(
            state("a"),
            init=(state("s", started=True, restarts=2, last=ENDED),),
            sidecars=("s",),
            conditions={**READY, **INITIALIZED},
        ),
        "2/2",
        "Running",
        2,
    ),
    "a sidecar that is not ready": (
        pod(
            state("a"),
            init=(state("s", started=True, ready=False),),
            sidecars=("s",),
            conditions=INITIALIZED,
        ),
        "1/2",
        "Running",
        0,
    ),
    "a sidecar that has not started": (
        pod(
            state("a", INITIALIZING),
            init=(state("s", started=False, ready=False),),
            sidecars=("s",),
            phase="Pending",
            conditions=NOT_INITIALIZED,
        ),
        "0/2",
        "Init:0/1",
        0,
    ),
    "a sidecar that crashes while the rest runs": (
        pod(
            state("a", restarts=1),
            init=(state("s", waits("CrashLoopBackOff"), started=False, restarts=3, last=ENDED),),
            sidecars=("s",),
            conditions=INITIALIZED,
        ),
        "1/2",
        "Init:CrashLoopBackOff",
        4,
    ),
    "a sidecar after its job": (
        pod(
            state("a", DONE),
            init=(state("s", ended(137, "Error"), started=False),),
            sidecars=("s",),
            phase="Succeeded",
            conditions=INITIALIZED,
        ),
        "0/2",
        "Completed",
        0,
    ),
    "null is nothing": (
        {
            "metadata": {"name": "p", "deletionTimestamp": None},
            "status": {"phase": "Running", "reason": None, "conditions": None},
        },
        "0/0",
        "Running",
        0,
    ),
    "nothing told": ({"metadata": {"name": "p"}}, "0/0", "", 0),
    "no state told": ({"metadata": {"name": "p"}, "status": {}}, "0/0", "", 0),
    "no state of a container": (
        {"metadata": {}, "status": {"phase": "Running", "containerStatuses": [{"name": "a"}]}},
        "0/0",
        "Running",
        0,
    ),
}


def drawn(seed: int) -> Object:
    """A pod whose containers are in any state at all."""
    chance = random.Random(seed)
    names, first = ("a", "b", "c")[: chance.randint(1, 3)], ("i", "j", "k")[: chance.randint(0, 3)]

    def any_state(name: str) -> Object:
        code = chance.choice((0, 0, 1, 137))
        what: Object = chance.choice(
            (
                RUNNING,
                DONE,
                INITIALIZING,
                STARTING,
                {"waiting": {}},
                {},
                waits(chance.choice(("CrashLoopBackOff", "ImagePullBackOff", "Completed"))),
                ended(code, chance.choice(("", "Error", "OOMKilled", "Completed"))),
                ended(code or 1, signal=chance.choice((0, 9))),
            )
        )
        more: Object = {"ready": chance.random() < 0.6, "restarts": chance.randint(0, 3)}
        if chance.random() < 0.5:
            more["last"] = f"2026-01-01T00:{chance.randint(10, 59)}:00Z"
        if chance.random() < 0.7:
            more["started"] = chance.random() < 0.7
        return state(name, what, **more)

    return pod(
        *(any_state(name) for name in names if chance.random() < 0.95),
        init=tuple(any_state(name) for name in first),
        sidecars=tuple(name for name in first if chance.random() < 0.5),
        phase=chance.choice(("Pending", "Running", "Running", "Succeeded", "Failed")),
        reason=chance.choice(("", "", "", "Evicted", "NodeLost")),
        conditions={
            kind: chance.choice(("True", "False"))
            for kind in ("Ready", "Initialized")
            if chance.random() < 0.8
        },
        leaving=chance.random() < 0.2,
    )
