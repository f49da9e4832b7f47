"""The verdicts that the kit gives to exercises of all lessons."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from course.core import duplicate
from course.exercises.kit import bases, build_errors, run_errors
from course.exercises.kit.copy import Copy
from course.exercises.kit.node_service import Answered
from course.exercises.kit.reply import Ended, Heard, Reply, Running
from course.exercises.kit.verdict import Wrong
from course.measure import builds
from tests.messages import shop

RUNC = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    'runc create failed: unable to start container process: exec: "noode": executable file not '
    "found in $PATH: unknown"
)
SERVICE = "the service of slug.mjs, listening on 3000"
ENDED = Ended(127, "sh: 1: noode: not found")

NO_TAG = "stops-base:lab: not found"

BUILDS = Path(__file__).parents[1] / "builds"


def built(name: str) -> Wrong:
    """Return what is said of a real build that failed."""
    return build_errors.wrong_build(builds.read(BUILDS / f"{name}.jsonl"), "dockerfile-1", 120)


def failed(error: str, *log: str, no_base: str = "") -> Wrong:
    """Return what is said of a step that failed, or of what failed before any step."""
    step = builds.Step("", 2, "RUN npm ci", False, 0, 1, error, log)
    build = builds.Build((step,) if log else (), 1, 0, error, no_base=no_base)
    return build_errors.wrong_build(build, "dockerfile-1", 120)


def unended() -> Wrong:
    """Return what is said of a step that has not ended."""
    step = builds.Step("", 2, "RUN node server.mjs", False, 0, 1, "", ("listens on 3000",))
    build = builds.Build((replace(step, ended=False),), 1, 0, "no end after 120 s")
    return build_errors.wrong_build(build, "dockerfile-1", 120)


def read(content: bytes | None, *, folder: bool = False) -> Wrong:
    """Return what is said of a learner's file that cannot be read."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "measured.json"
        if folder:
            file.mkdir()
        elif content is not None:
            file.write_bytes(content)
        try:
            build_errors.decode(file, "dockerfile-4/measured.json", "dockerfile-4")
        except Wrong as wrong:
            return wrong
    raise AssertionError("it was read")


def copied(does: Callable[[Copy], object], *names: str, link: str = "") -> Wrong:
    """Return what is said of a copy of a folder with these files, and with a link."""
    with tempfile.TemporaryDirectory() as place:
        for name in names:
            (Path(place) / name).write_text("FROM scratch\n")
        if link:
            (Path(place) / link).symlink_to("../another/Dockerfile")
        copy = Copy("dockerfile-1", Path(place))
    try:
        does(copy)
    except Wrong as wrong:
        return wrong
    finally:
        duplicate.remove(copy.folder)  # and not `close`, which asks Docker
    raise AssertionError("nothing is wrong with it")


def no_folder() -> Wrong:
    """Return what is said where the exercise's folder is gone."""
    try:
        Copy("dockerfile-1", Path("/nowhere/dockerfile-1"))
    except Wrong as wrong:
        return wrong
    raise AssertionError("it is there")


CACHED = builds.Build((), 1)
HUB = "toomanyrequests: You have reached your pull rate limit"
EXEC = ("exec /bin/sh: exec format error",)


def answered(heard: Heard) -> Wrong:
    """What is said where this came back instead of an answer."""
    wrong = Answered("dockerfile-1", 3000, "/about", heard).wrong()
    assert wrong
    return wrong


NO_PACKAGE = "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'ms' imported from /app/server.mjs"
NO_MODULE = "Error: Cannot find module '/app/server.mjs'"
NO_FOLDER = "Error: ENOENT: no such file or directory, scandir 'dist'"

MESSAGES: dict[str, dict[str, Wrong]] = {
    "kit.bases": {
        "an image of this machine": bases.only_here("stops-base:lab", NO_TAG),
    },
    "kit.build_errors": {
        "an instruction that is none": built("unparsed"),
        "a file that is not in the folder": built("not-there"),
        "a front end that cannot be pulled": built("front-end"),
        "a base that cannot be pulled": built("no-base"),
        "a stage's name in capitals": built("capital"),
        "a step that needs what an earlier one left out": built("notes"),
        "a program for another processor": failed("exit code: 255", *EXEC),
        "a step that does not end": unended(),
        "a disk without room": failed("write /x: no space left on device", "npm error ENOSPC"),
        "a registry's limit": failed(HUB, no_base="node:22"),
        "a file that is not there": read(None),
        "a file in another encoding": read("für".encode("latin-1")),
        "a file that does not end": read(b"x" * 4_000_001),
        "a folder in its place": read(None, folder=True),
    },
    "kit.copy": {
        "the folder was deleted": no_folder(),
        "another name": copied(Copy.attempt, "Dockerfile.dev"),
        "nothing like it": copied(Copy.attempt, "server.mjs"),
        "a link out of the folder": copied(Copy.attempt, link="Dockerfile"),
        "a name in another encoding": copied(Copy._named_in_utf8, "caf\udce9.mjs"),
        "no step takes the edit in": copied(lambda copy: copy.accept(CACHED, ["server.mjs"])),
    },
    "kit.node_service": {
        "no step has installed": answered(Ended(1, NO_PACKAGE)),
        "the program is not in the image": answered(Ended(1, NO_MODULE)),
        "a folder is not in the image": answered(Ended(1, NO_FOLDER)),
        "it has ended": answered(ENDED),
        "it listens on another port": answered(Running()),
        "another program": answered(Reply(200, "<html>")),
    },
    "kit.run_errors": {
        "nothing is called like it": run_errors.no_image("slug:lab", "", "containers-1"),
        "another tag": run_errors.no_image("slug:lab", "slug:latest", "containers-1"),
        "its command is no program": run_errors.cannot_start("slug:lab", RUNC),
        "built for another processor": run_errors.other_processor("slug:lab", "arm64", "amd64"),
        "no first line with #!": run_errors.other_processor("slug:lab", "amd64", "amd64"),
        "a byte at a time": run_errors.endless("GET /?text=a", "/?text=a", "7 bytes in 5 s"),
        "an option takes the command's place": run_errors.arguments_lost(
            "slug:lab", ["--joint=_"], RUNC.replace("noode", "--joint=_")
        ),
        "another port": run_errors.no_reply(Running(), "slug:lab", 3000, SERVICE),
        "it has ended": run_errors.no_reply(ENDED, "slug:lab", 3000, SERVICE),
        "it ends at its second start": run_errors.no_reply(ENDED, "slug:lab", 3000, SERVICE).at(
            "at its second start"
        ),
    },
}
MESSAGES |= shop.MESSAGES
