"""What a build did: each instruction, whether it was cached, and its seconds.

One parser, for what `docker build --progress=rawjson` writes to standard error: one JSON object a
line, BuildKit's `SolveStatus` (https://pkg.go.dev/github.com/moby/buildkit/client#SolveStatus).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from course.errors import CourseError
from course.run import CommandError, Runner, runner

_NAMED = re.compile(
    r"\[(?:(?P<stage>\S+) )?(?P<number>\d+)/(?P<total>\d+)\] (?P<instruction>.*)", re.S
)
_BUILD_WAIT = 600.0
_KEPT_LINES = 12


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile, as a build met it.

    Args:
        stage: the stage's name, or `stage-N`; empty where there is one stage only.
        number: its place in the stage, from 1.
        instruction: its text, e.g. `RUN npm ci`.
        cached: whether its result was there already.
        started: seconds since the build began.
        seconds: how long it took.
        error: why it failed; empty if it did not.
        log: its last lines of output.
    """

    stage: str
    number: int
    instruction: str
    cached: bool
    started: float
    seconds: float
    error: str = ""
    log: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The instruction's name, e.g. `COPY`."""
        return self.instruction.split(None, 1)[0].upper()


@dataclass(frozen=True)
class Build:
    """One build.

    Args:
        steps: the Dockerfile's instructions in its order; those that change no file have none.
        seconds: from the first step's begin to the last one's end.
        context_bytes: what was sent of the build's context; BuildKit sends only what changed.
        error: why it failed; empty if it did not.
    """

    steps: tuple[Step, ...]
    seconds: float
    context_bytes: int = 0
    error: str = ""

    def find(self, text: str) -> Step | None:
        """The first step whose instruction contains a text."""
        return next((step for step in self.steps if text in step.instruction), None)

    @property
    def ran(self) -> tuple[Step, ...]:
        """The steps that were not cached, `FROM` aside."""
        return tuple(s for s in self.steps if not s.cached and s.key != "FROM")


@dataclass
class _Vertex:
    name: str = ""
    cached: bool = False
    started: float | None = None
    completed: float | None = None
    seconds: float = 0.0
    error: str = ""
    log: bytes = b""
    order: int = 0
    runs: dict[str, float] = field(default_factory=dict)


def read(file: Path | str) -> Build:
    """A build from the file that its standard error went to.

    Raises:
        CourseError: the file is not there or holds no build.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise CourseError(
            f"{path} is not there",
            "the output of a build",
            f"docker build --progress=rawjson … 2> {path}",
        ) from None
    return parse(text.splitlines())


def parse(lines: Iterable[str]) -> Build:
    """A build from the lines of `--progress=rawjson`.

    Args:
        lines: what the build wrote; lines that are no JSON are its messages.

    Raises:
        CourseError: none of them is of a build; its messages are told.
    """
    vertices: dict[str, _Vertex] = {}
    sent: dict[str, int] = {}
    said: list[str] = []
    for line in lines:
        try:
            status = json.loads(line)
        except ValueError:
            if line.strip():
                said.append(line.strip())
            continue
        if isinstance(status, dict):
            _take(status, vertices, sent)
    if not vertices:
        tail = "\n      ".join(said[-_KEPT_LINES:]) or "nothing"
        raise CourseError(
            f"no build was reported, but: {tail}",
            "the progress of a build",
            "docker build --progress=rawjson, its standard error",
        )
    times = [t for v in vertices.values() for t in (v.started, v.completed) if t is not None]
    first = min(times, default=0.0)
    failed = next((v.error for v in vertices.values() if v.error and "canceled" not in v.error), "")
    errors = [text for text in said if text.startswith("ERROR")]
    return Build(
        tuple(_steps(vertices, first)),
        round(max(times, default=0.0) - first, 3),
        sum(sent.values()),
        failed or (errors[-1] if errors else ""),
    )


def _take(status: Mapping[str, Any], vertices: dict[str, _Vertex], sent: dict[str, int]) -> None:
    for entry in status.get("vertexes") or ():
        vertex = vertices.setdefault(entry["digest"], _Vertex(order=len(vertices)))
        vertex.name = entry.get("name") or vertex.name
        vertex.cached = bool(entry.get("cached")) or vertex.cached
        vertex.error = entry.get("error") or vertex.error
        began, ended = _time(entry.get("started")), _time(entry.get("completed"))
        if began is not None:
            vertex.started = began if vertex.started is None else min(vertex.started, began)
        if began is not None and ended is not None:
            # A step may be reported in several runs; each begins at a time of its own.
            vertex.runs[entry["started"]] = ended - began
            vertex.completed = ended
    for entry in status.get("statuses") or ():
        if str(entry.get("id", "")).startswith("transferring context"):
            sent[entry["vertex"]] = max(sent.get(entry["vertex"], 0), int(entry.get("current", 0)))
    for entry in status.get("logs") or ():
        vertex = vertices.setdefault(entry["vertex"], _Vertex(order=len(vertices)))
        vertex.log += base64.b64decode(entry.get("data") or "")


def _steps(vertices: Mapping[str, _Vertex], first: float) -> list[Step]:
    found = []
    for vertex in vertices.values():
        named = _NAMED.fullmatch(vertex.name)
        if named is None:
            continue
        log = vertex.log.decode(errors="replace").splitlines()[-_KEPT_LINES:]
        step = Step(
            named["stage"] or "",
            int(named["number"]),
            named["instruction"],
            vertex.cached,
            round((vertex.started or first) - first, 3),
            round(sum(vertex.runs.values()), 3),
            vertex.error,
            tuple(log),
        )
        found.append((vertex.order, step))
    # By stage as they come, and by number in it: independent stages run side by side.
    stages = list(dict.fromkeys(step.stage for _, step in sorted(found, key=lambda f: f[0])))
    return sorted((s for _, s in found), key=lambda s: (stages.index(s.stage), s.number))


def _time(text: str | None) -> float | None:
    if not text:
        return None
    # BuildKit gives nanoseconds, Python reads microseconds.
    return datetime.fromisoformat(
        re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00"))
    ).timestamp()


def run(
    context: Path, *options: object, wait: float = _BUILD_WAIT, using: Runner | None = None
) -> Build:
    """Build an image and say what the build did; a build that fails is a result too.

    Args:
        context: the folder with the Dockerfile.
        options: of `docker build`, e.g. `--tag`, `orders:lab`.
        wait: deadline in seconds.
        using: runs docker.

    Raises:
        CommandError: docker cannot be started, or the build did not end in time.
        CourseError: docker reported no build.
    """
    using = using or runner()
    argv: list[object] = ["docker", "build", "--progress=rawjson", *options, context]
    try:
        done = using.run(argv, timeout=wait, check=False)
    except CommandError as error:
        error.try_ = error.try_ or "does a step wait for input, or run a server?"
        raise
    return parse(done.stderr.splitlines())
