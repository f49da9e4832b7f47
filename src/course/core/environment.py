"""Where containers and pods run, and how everything else reaches it.

`course up` writes what it made to one file; notebooks, checks and shells read it here.
"""

from __future__ import annotations

import difflib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from course.core import files, names, paths
from course.core.errors import CourseError


@dataclass
class Engine:
    """What `course up` made so far."""

    name: str = "kind"
    env: dict[str, str] = field(default_factory=dict)
    has: list[str] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)


LESSON_VARIABLES = (
    "DOCKER_HOST",
    "KUBECONFIG",
    "REGISTRY",
    "ORDERS_URL",
    "COURSE_WORK",
    "COURSE_NAMESPACE",
)
"""The variables that a lesson may rely on, beside PATH."""

_WHY_NOT = {
    names.CONTAINERS: "no container engine is running: course up",
    names.CLUSTER: "no cluster is running: course up",
    names.ORDERS: "the service orders is not running: course up",
    names.CGROUPS: "this engine sets no limits on memory and processor",
    names.NETWORK_POLICY: "this engine's network accepts a NetworkPolicy and enforces none",
}


def _file() -> Path:
    return paths.state() / "engine.json"


def current() -> Engine | None:
    """What `course up` made, or `None` if it has not run."""
    try:
        engine = Engine(**json.loads(_file().read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None  # of another version; the next `up` writes it anew
    kinds = zip(asdict(engine).values(), asdict(Engine()).values(), strict=True)
    return engine if all(type(value) is type(kind) for value, kind in kinds) else None


def save(engine: Engine) -> None:
    """Record what `course up` made."""
    files.atomic_write(_file(), json.dumps(asdict(engine), indent=1, sort_keys=True))


def forget() -> None:
    """Record that nothing runs; the chosen ports are kept."""
    engine = current()
    if engine is not None:
        save(Engine(engine.name, {}, [], engine.ports))


def environment() -> dict[str, str]:
    """The variables of the engine contract.

    Raises:
        CourseError: `course up` has not run.
    """
    engine = current()
    if engine is None or "DOCKER_HOST" not in engine.env:
        raise CourseError(
            "the course's engine is not running", "a running one", "course up   (or: make start)"
        )
    first = str(paths.state() / "bin")
    # An empty entry means the folder in which one stands.
    path = [entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry]
    if first not in path:
        path.insert(0, first)
    return {**engine.env, "COURSE_WORK": str(paths.work()), "PATH": os.pathsep.join(path)}


def apply() -> None:
    """Give this process the variables of the engine contract; nothing else of the course does.

    A learner's folder that `COURSE_WORK` names stays.

    Raises:
        CourseError: `course up` has not run.
    """
    keep = {"COURSE_WORK"} & set(os.environ)
    os.environ.update({k: v for k, v in environment().items() if k not in keep})


def has(capability: str) -> bool:
    """Return whether the engine gives a capability.

    Args:
        capability: what a lesson may need, e.g. `cluster` or `cgroups`.

    Returns:
        `False` also where no engine runs; `why_not` says which of the two it is.

    Raises:
        CourseError: no capability has this name; the nearest is offered.
    """
    _known(capability)
    engine = current()
    return engine is not None and capability in engine.has


def why_not(capability: str) -> str:
    """Return one line on why the engine does not give a capability.

    Args:
        capability: as `has` takes it.

    Raises:
        CourseError: no capability has this name; the nearest is offered.
    """
    return _WHY_NOT[_known(capability)]


def _known(capability: str) -> str:
    if capability in _WHY_NOT:
        return capability
    near = difflib.get_close_matches(capability, _WHY_NOT, n=1, cutoff=0.4)
    raise CourseError(
        f"no capability is called `{capability}`",
        f"`{near[0]}`?" if near else f"one of: {', '.join(sorted(_WHY_NOT))}",
        "course list --json   shows what each exercise needs",
    )
