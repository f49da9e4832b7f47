"""Why a learner's build failed, as a verdict."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from course.core.text import cut, printable
from course.exercises.kit.verdict import ARCHITECTURE, ENVIRONMENT, Wrong
from course.measure import builds

_NOT_COPIED = re.compile(r'failed to calculate checksum of ref \S+ "?/?(.+?)"?: not found')
_ERROR = re.compile(r"error|not found|cannot|denied", re.I)
_LINE = 160
_LARGEST = 4_000_000
"""Bytes of a learner's file that are read."""
_BUILD_FAILS = "build-fails"
_COPY_MISSING = "copy-missing"


def decode(file: Path, name: str, id_: str, *, within: Path | None = None) -> str:
    """The text of a learner's file.

    Args:
        file: where it is.
        name: how it is told.
        id_: the exercise that it belongs to.
        within: the folder that it must be in, links followed.

    Raises:
        Wrong: it is not there (`no-file`), not UTF-8 (`not-utf8`), or no file that can be read to
            its end (`unreadable`).
    """
    reset = f"course reset {id_}   brings it back, and saves what you have first"
    try:
        return _content(file, within).decode()
    except FileNotFoundError as error:
        raise Wrong(
            "no-file", saw=f"{name} is not there", want="the file that came with it", try_=reset
        ) from error
    except UnicodeDecodeError as error:
        byte = f"byte 0x{error.object[error.start]:02x} at position {error.start}"
        raise Wrong(
            "not-utf8",
            saw=f"{name} is not UTF-8: {byte}",
            want="a file in UTF-8",
            try_=f"save it as UTF-8 in your editor; or: {reset}",
        ) from error
    except OSError as error:
        raise Wrong(
            "unreadable",
            saw=f"{name} cannot be read: {error.strerror}",
            want="a file",
            try_=reset,
        ) from error


def _content(file: Path, within: Path | None) -> bytes:
    """The bytes of a file; neither a pipe nor a device is waited for, and none is read without end.

    Raises:
        OSError: it is none, is outside of `within`, or is larger than `_LARGEST`.
    """
    real = Path(os.path.realpath(file))
    if within and not real.is_relative_to(os.path.realpath(within)):
        raise OSError(errno.EXDEV, f"it is a link to {printable(str(real))}")
    held = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with open(held, "rb") as source:  # noqa: PTH123 - it is open already
        if not stat.S_ISREG(os.fstat(held).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = source.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST / 1e6:.0f} MB")
    return content


def wrong_build(build: builds.Build, id_: str, wait: float) -> Wrong:
    """Why a build made no image, in the learner's terms.

    Args:
        build: one with an error.
        id_: the exercise whose folder was built.
        wait: the deadline that it had, in seconds.
    """
    if build.parse_error:
        return Wrong(
            "dockerfile-syntax",
            saw=f"{id_}/Dockerfile does not parse: {build.parse_error}",
            want="a Dockerfile that parses",
            try_=f"docker build --check {id_}",
        )
    at = f"{id_}/Dockerfile, {build.where}: " if build.where else ""
    away = _of_the_machine(build) or _not_to_be_had(build, at)
    if away:
        return away
    if build.failed:
        return _wrong_step(build.failed, id_)
    if build.pending:
        last = next((line for line in reversed(build.pending.log) if line.strip()), "nothing")
        return Wrong(
            "build-hangs",
            saw=f"{named(build.pending)} has not ended after {wait:.0f} s; "
            f"it said last: {last[:_LINE]}",
            want="a step that ends",
            try_="RUN is for what ends while the image is built; what goes on is for CMD",
        )
    warned = "".join(f"; {text}" for text in build.warnings) if "lint" in build.error else ""
    return Wrong(
        _BUILD_FAILS,
        saw=f"{at}the build stopped: {(build.error + warned)[: 2 * _LINE]}",
        want="a build that ends well",
        try_=f"docker build {id_}",
    )


def _of_the_machine(build: builds.Build) -> Wrong | None:
    """That the machine ran out of something, or the registry gives no more for now."""
    # The error of a step quotes its command, which may say anything.
    said = [build.error.rpartition('"')[2] if build.failed else build.error]
    log = build.failed.log if build.failed else ()
    at = f"{named(build.failed)}: " if build.failed else ""
    for known, where, saw, want, try_ in (
        (
            r"no space left on device|disk quota exceeded",
            [*said, *log],
            "the disk that Docker builds on is full",
            "some GB free",
            "docker system df; docker builder prune; df -h; then run the check again",
        ),
        (
            r"toomanyrequests|429 too many requests",
            [] if build.failed else said,
            "Docker Hub's limit of pulls for this address is reached",
            "a pull within the limit, which is counted over six hours",
            "docker login   (a free account has more); or wait; then run the check again",
        ),
    ):
        line = next((line for line in where if re.search(known, line, re.I)), "")
        if line:
            told = f"{saw}: {at}{cut(line.strip(), _LINE)}"
            return Wrong(ENVIRONMENT, saw=told, want=want, try_=try_)
    return None


def _not_to_be_had(build: builds.Build, at: str) -> Wrong | None:
    """That a front end or a base image is not here and cannot be pulled."""
    if build.no_front_end:
        return Wrong(
            "no-front-end",
            saw=f"{at}the front end {build.no_front_end} cannot be had: {_end(build.error)}",
            want="a Dockerfile whose first line names a front end that is here, or none",
            try_="leave that line out: Docker has a front end of its own, and the lessons need no "
            "other",
        )
    if build.no_base:
        why = build.error if len(build.error) <= _LINE else _end(build.error)
        return Wrong(
            "no-base",
            saw=f"{at or 'FROM: '}{build.no_base}: {why}",
            want="a base image that is here or can be pulled",
            try_="docker images   shows those that are here",
        )
    return None


def _end(error: str) -> str:
    """Who was asked in vain, and the end of a chain of errors: its cause."""
    asked = re.search(r"https?://([^/\"]+)", error)
    cause = cut(error.rsplit(": ", 1)[-1], _LINE)
    return f"{asked[1]}: {cause}" if asked else cause


def _wrong_step(step: builds.Step, id_: str) -> Wrong:
    missing = _NOT_COPIED.search(step.error)
    if missing and step.takes:
        return Wrong(
            _COPY_MISSING,
            saw=f"{named(step)} failed: what it takes from has no /{missing[1]}",
            want="files that are there",
            try_="which step makes that file, in which stage, and in which folder?",
        )
    if missing:
        return Wrong(
            _COPY_MISSING,
            saw=f"{named(step)} failed: {missing[1]} is not in {id_}/, "
            "or .dockerignore holds it back",
            want="files that are there",
            try_=f"ls -A {id_}; cat {id_}/.dockerignore",
        )
    if any("exec format error" in line for line in step.log):
        return Wrong(
            ARCHITECTURE,
            saw=f"{named(step)} failed: exec format error, its program is for another processor",
            want="a base image for the processor of this machine",
            try_="build it without --platform, and from a FROM without it",
        )
    return Wrong(
        _BUILD_FAILS,
        saw=f"{named(step)} failed: {reason(step)}",
        want="a build that ends well",
        try_=f"docker build {id_}   shows all that it said",
    )


def reason(step: builds.Step) -> str:
    """Why a step failed: in its own words rather than the builder's."""
    code = step.error.rsplit("did not complete successfully: ", 1)[-1]
    lines = [line.strip() for line in step.log if line.strip()]
    lines = [line for line in lines if not line.startswith(("npm notice", "npm warn"))]
    npm = [line.removeprefix("npm error ") for line in lines if line.startswith("npm error ")]
    said = "; ".join(npm[:3]) or next((ln for ln in lines if _ERROR.search(ln)), "")
    return f"{code}: {said or lines[-1]}"[:_LINE] if lines else code[:_LINE]


def named(step: builds.Step) -> str:
    """A step as a message names it."""
    stage = f" of stage {step.stage}" if step.stage else ""
    return f"step {step.number}{stage} `{step.short[:80]}`"
