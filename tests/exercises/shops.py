"""A release of the shop as a check sees it, and the Deployment that it was a release of."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from course.core import paths
from course.exercises.kit.probe_release import ProbeRelease
from course.measure.release import Failure, ReleaseRecord
from course.measure.rollout import Pod, Sample, Status
from course.measure.traffic import Summary

PROBE = "probe-1a2b3c"
READY = {"httpGet": {"path": "/readyz", "port": "http"}}
SLEEP = {"preStop": {"sleep": {"seconds": 4}}}
EARLY = Failure(2.5, "503", PROBE)
ERROR = Failure(2.5, "500", PROBE)
CUT = Failure(3.1, "502", "")
UNSERVED = Failure(2.0, "503", "")
MESH = {
    "name": "mesh",
    "image": "r/mesh:9",
    "readinessProbe": {"tcpSocket": {"port": 9}},
    "env": [{"name": "DRAIN_MS", "value": "1"}],
}

Object = dict[str, Any]


def start(id_: str) -> list[Object]:
    """The objects of an exercise's start state."""
    file = paths.ROOT / "src" / "course" / "exercises" / "files" / id_ / "shop.yaml"
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def deployment(**container: Any) -> Object:
    """A careful shop that starts in 2 s, with changes of its container; `None` takes a field away.

    Args:
        container: fields of the container; `env` and what stands beside them under `spec` and `pod`
            changes variables, the Deployment's spec and the pod's.
    """
    made = start("rolling-2")[0]
    made["spec"] |= container.pop("spec", {})
    made["spec"]["template"]["spec"] |= container.pop("pod", {})
    found = made["spec"]["template"]["spec"]["containers"][0]
    env = container.pop("env", {})
    found["env"] = [e for e in found["env"] if e["name"] not in env]
    found["env"] += [{"name": k, "value": v} for k, v in env.items()]
    found |= {"readinessProbe": READY, "lifecycle": SLEEP}
    found |= container
    for name in [key for key, value in found.items() if value is None]:
        del found[name]
    return made


def beside(made: Object, *, renamed: str = "", native: bool = False) -> Object:
    """A sidecar patched in front of the shop, whose container may have another name."""
    spec = made["spec"]["template"]["spec"]
    if renamed:
        spec["containers"][0]["name"] = renamed
    if native:
        spec["initContainers"] = [{**MESH, "restartPolicy": "Always", "name": "shop"}]
    else:
        spec["containers"].insert(0, copy.deepcopy(MESH))
    return made


def sample(at: float, ready: int, starting: int = 0, phase: str = "Running") -> Sample:
    """A moment of a release of four pods."""
    old = tuple(Pod(f"old{i}", "1.1.0", 1, "Running", True, False, 0, 60) for i in range(ready))
    new = tuple(Pod(f"new{i}", PROBE, 2, phase, False, False, 0, 1) for i in range(starting))
    return Sample(at, old + new, 2, Status("progressing", "2 of 4 updated", desired=4))


def tried(
    *failures: Failure,
    samples: tuple[Sample, ...] = (),
    after: dict[str, int] | None = None,
    seconds: float = 8.0,
    revision: int = 3,
    desired: int = 2,
    **figures: Any,
) -> ProbeRelease:
    """A release from old to new, with these failures."""
    status = Status("complete", "done", desired=desired, version=PROBE, revision=revision)
    if not samples:
        others = tuple(
            Pod(f"shop-lab-old{i}", "1.1.0", 1, "Running", True, False, 0, 60)
            for i in range(desired)
        )
        old = Pod("shop-lab-old0", "1.1.0", 1, "Terminating", True, True, 0, 63)
        new = Pod("shop-lab-new", PROBE, 2, "Running", True, False, 0, 2)
        samples = (
            Sample(0.0, others, 1, status),
            Sample(3.0, (*others, new), 2, status),
            Sample(4.0, (old, *others[1:], new), 2, status),
            Sample(8.5, (*others[1:], new), 2, status),
        )
    errors: dict[str, int] = {}
    for failure in failures:
        errors[failure.error] = errors.get(failure.error, 0) + 1
    given: dict[str, Any] = {"min_ms": 201.0, "blind_ms": 0.0, "unsent": 0, **figures}
    summary = Summary(
        planned=900, ok=900 - len(failures), errors=errors, late=0, by_version={}, p50_ms=205,
        p90_ms=210, p99_ms=220, max_ms=230, late_p99_ms=1, rate_achieved=80, seconds=11.0, **given,
    )  # fmt: skip
    seen = ReleaseRecord(summary, failures, samples, 1.0, 0.0)
    answered = {PROBE: 32} if after is None else after
    return ProbeRelease(PROBE, status, samples[-1].status, seconds, seen, answered)
