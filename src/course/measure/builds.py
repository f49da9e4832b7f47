"""What a build did: each instruction, whether it was cached, and its seconds.

One parser, for what `docker build --progress=rawjson` writes to standard error: one JSON object a
line, BuildKit's `SolveStatus` (https://pkg.go.dev/github.com/moby/buildkit/client#SolveStatus).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from course.core.errors import CourseError
from course.core.process import UNENDED, CommandError, Runner, default_runner

# BuildKit's own form (dockerfile2llb, prefixCommand): the platform of a build for several, the
# stage if there are several, the number padded to the width of the total.
_NAMED = re.compile(
    r"\[(?:(?P<platform>[^\s/]+/\S+) )?(?:(?P<stage>[^\s/]+) )? *(?P<number>\d+)/\d+\] "
    r"(?P<link>LINK )?(?P<instruction>.*)",
    re.S,
)
_PARSE_ERROR = re.compile(
    r"(?:dockerfile parse error on )?"
    r"(line \d+: .*|the Dockerfile cannot be empty|no build stage in current context)"
)
_DEFINITION = "[internal] load build definition"
_METADATA = re.compile(r"\[(?:\S+ )?internal\] load metadata for (?:docker\.io/library/)?(.*)")
_FRONT_END = re.compile(r"resolve image config for docker-image://(.*)")
_POINTED_AT = re.compile(r"(\d+) \| >>> (.*)")
_BROKEN_OFF = re.compile(
    r"(?:^|: )(?:context )?cancell?ed$|^(?:rpc error: code = )?Cancell?ed\b", re.I
)
_TRIGGER = "ONBUILD "
_TAKES = re.compile(
    r"(?:(?:COPY|ADD)\s+(?:--\S+\s+)*--from=|RUN\s+(?:--\S+\s+)*--mount=\S*\bfrom=)"
)
_BUILD_WAIT = 600.0
_TOLD_LINES = 12
_KEPT_LINES = 1000


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
        begun: whether it was reached at all; what stands after a step that failed is not.
        ended: whether it came to its end; in a build that was broken off one did not.
        digest: the builder's name for it, the same in every stage that shares it.
        parent: the digest of what it stands on; empty for a base.
        sources: the digests of what it takes files from: steps of other stages, the context.
        platform: whose it is in a build for several, e.g. `linux/arm64`; else empty.
    """

    stage: str
    number: int
    instruction: str
    cached: bool
    started: float
    seconds: float
    error: str = ""
    log: tuple[str, ...] = ()
    begun: bool = True
    ended: bool = True
    digest: str = ""
    parent: str = ""
    sources: tuple[str, ...] = ()
    platform: str = ""

    @property
    def key(self) -> str:
        """The instruction's name, e.g. `COPY`; of one that the base asked for too."""
        # A tab may follow it; the builder takes all up to the first space for its name.
        return next(iter(self.instruction.removeprefix(_TRIGGER).split()), "").upper()

    @property
    def short(self) -> str:
        """Its text without what the builder adds: no registry and no digest after `FROM`."""
        text = " ".join(self.instruction.split())
        if self.key != "FROM":
            return text
        return re.sub(r"@sha256:[0-9a-f]+|(?<!\S)docker\.io/library/", "", text)

    @property
    def takes(self) -> bool:
        """Whether it takes files from another stage, or from another image."""
        return bool(_TAKES.match(self.instruction.removeprefix(_TRIGGER)))


@dataclass(frozen=True)
class Build:
    """One build.

    Args:
        steps: the Dockerfile's instructions in its order; those that change no file have none.
        seconds: from the first step's begin to the last one's end.
        context_bytes: what was sent of the build's context; BuildKit sends only what changed.
        error: why it failed; empty if it did not.
        parse_error: what does not parse, with its line; empty if the Dockerfile does.
        no_base: the image that is not there or cannot be pulled; empty if all are there.
        no_front_end: the same for what `# syntax=` names.
        where: the line of the Dockerfile that an error is about, with its text.
        warnings: what the builder warns of.
        images: the images that it stands on or takes files from, and its front end, as the builder
            names them; `node:24-slim` for `docker.io/library/node:24-slim`.
    """

    steps: tuple[Step, ...]
    seconds: float
    context_bytes: int = 0
    error: str = ""
    parse_error: str = ""
    no_base: str = ""
    no_front_end: str = ""
    where: str = ""
    warnings: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    def find(self, text: str) -> Step | None:
        """The first step whose instruction contains a text."""
        return next((step for step in self.steps if text in step.instruction), None)

    @property
    def ran(self) -> tuple[Step, ...]:
        """The steps that were done again, `FROM` aside."""
        return tuple(s for s in self.steps if s.begun and not s.cached and s.key != "FROM")

    @property
    def failed(self) -> Step | None:
        """The step that failed."""
        return next((step for step in self.steps if step.error and _own(step.error)), None)

    @property
    def pending(self) -> Step | None:
        """The step that has begun and not ended."""
        open_ = [step for step in self.steps if step.begun and not step.ended]
        return max(open_, key=lambda step: step.started, default=None)


def _own(error: str) -> bool:
    """Whether a step failed by itself, and was not broken off because another one did.

    An error may quote the command, so only its end counts.
    """
    return not _BROKEN_OFF.search(error)


@dataclass
class _Vertex:
    name: str = ""
    cached: bool = False
    started: float | None = None
    completed: float | None = None
    ended: bool = False
    error: str = ""
    log: bytes = b""
    order: int = 0
    inputs: tuple[str, ...] = ()
    runs: set[tuple[float, float]] = field(default_factory=set)


def read(file: Path | str) -> Build:
    """A build from the file that its standard error went to.

    Raises:
        CourseError: the file is not there or holds no build.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise CourseError(
            f"{path} is not there",
            "the output of a build",
            f"docker build --progress=rawjson … 2> {path}",
        ) from error
    return parse(text.split("\n"))


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
    warned: dict[str, None] = {}
    for line in lines:
        try:
            status = json.loads(line)
            _take(status, vertices, sent)
            for entry in status.get("warnings") or ():
                warned[base64.b64decode(entry.get("short") or "").decode(errors="replace")] = None
        except (ValueError, TypeError, KeyError, AttributeError):
            # No report of the builder's: a message, or what something else has written.
            if line.strip():
                said.append(line.strip())
    if not vertices:
        tail = "\n      ".join(said[-_TOLD_LINES:]) or "nothing"
        raise CourseError(
            f"no build was reported, but: {tail}",
            "the progress of a build",
            "docker build --progress=rawjson, its standard error",
        )
    first = _beginning(vertices)
    last = max((v.completed for v in vertices.values() if v.completed is not None), default=first)
    failed = next((v.error for v in vertices.values() if v.error and _own(v.error)), "")
    told = next((text for text in reversed(said) if text.startswith("ERROR")), "")
    error = failed or re.sub(r"^ERROR: (failed to build: )?(failed to solve: )?", "", told)
    unparsed = _PARSE_ERROR.search(told)
    pointed = next((m for text in said if (m := _POINTED_AT.match(text))), None)
    contexts = [d for d, v in vertices.items() if "build context" in v.name]
    return Build(
        tuple(_steps(vertices, first)),
        round(max(0.0, last - first), 3),
        sum(sent.get(digest, 0) for digest in contexts),
        error,
        unparsed[1] if unparsed and not failed else "",
        _missing(vertices, _METADATA),
        _missing(vertices, _FRONT_END),
        f"line {pointed[1]} `{pointed[2].strip()}`" if pointed else "",
        tuple(warned),
        tuple(_asked_for(vertices)),
    )


def _asked_for(vertices: Mapping[str, _Vertex]) -> dict[str, None]:
    found = (
        m[1].removeprefix("docker.io/")
        for vertex in vertices.values()
        for asked in (_FRONT_END, _METADATA)
        if (m := asked.fullmatch(vertex.name))
    )
    return dict.fromkeys(found)


def _missing(vertices: Mapping[str, _Vertex], asked: re.Pattern[str]) -> str:
    """What was asked for and is not there; a question that was broken off is none."""
    failed = [v.name for v in vertices.values() if v.error and _own(v.error)]
    return next((m[1] for name in failed if (m := asked.fullmatch(name))), "")


def _take(status: Mapping[str, Any], vertices: dict[str, _Vertex], sent: dict[str, int]) -> None:
    for entry in status.get("vertexes") or ():
        vertex = vertices.setdefault(entry["digest"], _Vertex(order=len(vertices)))
        vertex.name = entry.get("name") or vertex.name
        vertex.cached = bool(entry.get("cached")) or vertex.cached
        vertex.error = entry.get("error") or vertex.error
        vertex.inputs = tuple(entry.get("inputs") or vertex.inputs)
        began, ended = _time(entry.get("started")), _time(entry.get("completed"))
        if began is not None:
            vertex.started = began if vertex.started is None else min(vertex.started, began)
            vertex.ended = ended is not None
        if began is not None and ended is not None:
            # A step may be reported in several runs; each begins at a time of its own.
            vertex.runs.add((began, ended))
            vertex.completed = ended
    for entry in status.get("statuses") or ():
        if str(entry.get("id", "")).startswith("transferring context"):
            sent[entry["vertex"]] = max(sent.get(entry["vertex"], 0), int(entry.get("current", 0)))
    for entry in status.get("logs") or ():
        vertex = vertices.setdefault(entry["vertex"], _Vertex(order=len(vertices)))
        vertex.log += base64.b64decode(entry.get("data") or "")


def _beginning(vertices: Mapping[str, _Vertex]) -> float:
    """When the build began: with the reading of its own Dockerfile.

    A step that another build is doing at the same time is shared with it, and may have begun
    long before this build.
    """
    own = [v.started for v in vertices.values() if v.name.startswith(_DEFINITION) and v.started]
    every = [v.started for v in vertices.values() if v.started is not None]
    return min(own or every, default=0.0)


def _steps(vertices: Mapping[str, _Vertex], first: float) -> list[Step]:
    found = []
    links: dict[tuple[str, str, int], tuple[int, Step]] = {}
    for digest, vertex in vertices.items():
        named = _NAMED.fullmatch(vertex.name)
        if named is None:
            continue
        # What was over before this build began was there already, whoever did it.
        over = vertex.completed is not None and vertex.completed <= first
        log = vertex.log.decode(errors="replace").splitlines()[-_KEPT_LINES:]
        # The first input of a step is the state it stands on; further ones are what it copies.
        step = Step(
            named["stage"] or "",
            int(named["number"]),
            named["instruction"],
            vertex.cached or over,
            round(max(0.0, (vertex.started or first) - first), 3),
            round(sum(max(0.0, end - max(start, first)) for start, end in vertex.runs), 3),
            vertex.error,
            tuple(log),
            vertex.started is not None,
            vertex.ended,
            digest,
            next(iter(vertex.inputs), ""),
            vertex.inputs[1:],
            named["platform"] or "",
        )
        if step.takes and len(vertex.inputs) == 1:
            # What it stands on is what it takes from too; or nothing stands for an empty base,
            # which has no number either.
            parent = "" if step.number == 1 else step.parent
            step = replace(step, parent=parent, sources=vertex.inputs)
        if named["link"]:
            links[step.platform, step.stage, step.number] = (vertex.order, step)
        else:
            found.append((vertex.order, step))
    none = (0, None)
    found = [(o, _linked(s, links.pop((s.platform, s.stage, s.number), none)[1])) for o, s in found]
    found += links.values()
    if {step.stage for _, step in found} <= {"", "stage-0"}:
        # So the builder says, now and then, of the only stage of a Dockerfile without names.
        found = [(order, replace(step, stage="")) for order, step in found]
    # By stage as they come, and by number in it: independent stages run side by side.
    stages = list(
        dict.fromkeys((s.platform, s.stage) for _, s in sorted(found, key=lambda f: f[0]))
    )
    steps = (s for _, s in found)
    return sorted(steps, key=lambda s: (stages.index((s.platform, s.stage)), s.number))


def _linked(copy: Step, link: Step | None) -> Step:
    """A `COPY --link` as one step: it copies by itself, then its files are laid on the stage."""
    if link is None:
        return copy
    return replace(
        copy,
        cached=copy.cached and link.cached,
        seconds=round(copy.seconds + link.seconds, 3),
        error=copy.error or link.error,
        ended=copy.ended and link.ended,
        digest=link.digest,
        parent=link.parent,
        sources=(*copy.sources, *([copy.parent] if copy.parent else [])),
    )


def _time(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def run(
    context: Path,
    *options: object,
    wait: float = _BUILD_WAIT,
    env: Mapping[str, str] | None = None,
    runner: Runner | None = None,
) -> Build:
    """Build an image and say what the build did; a build that fails is a result too.

    Args:
        context: the folder with the Dockerfile.
        options: of `docker build`, e.g. `--tag`, `orders:lab`.
        wait: deadline in seconds; a build that goes on is broken off, and its `pending` step told.
        env: variables for docker.
        runner: runs docker.

    Raises:
        CommandError: docker cannot be started.
        CourseError: docker reported no build.
    """
    runner = runner or default_runner()
    # From inside the folder: a long path below it would be too long with the folder's own before.
    argv: list[object] = ["docker", "build", "--progress=rawjson", *options, "."]
    try:
        said = runner.run(argv, timeout=wait, env=env, check=False, cwd=context).stderr
    except CommandError as error:
        if error.completed.code != UNENDED:
            raise
        said = f"{error.completed.stderr}\nERROR: no end after {wait:.0f} s"
    return parse(said.split("\n"))  # `splitlines` would split at signs within a step's name too
