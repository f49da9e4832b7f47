"""Why a learner's image is not there, does not start or does not answer, as a verdict."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from course.exercises.kit.reply import Ended, Heard
from course.exercises.kit.verdict import ARCHITECTURE, NO_ANSWER, Wrong

EXEC_FORMAT = "exec format error"
"""What the kernel says of a program that it cannot run."""
_MOST = 200


def no_image(ref: str, near: str, id_: str) -> Wrong:
    """Say that there is no such image.

    Args:
        ref: the name that it should have.
        near: the name of an image that is there and looks like it; may be empty.
        id_: the exercise.
    """
    return Wrong(
        "no-image",
        saw=f"no image `{ref}`" + (f"; there is `{near}`" if near else ""),
        want=f"an image named `{ref}`",
        try_=f"docker images   then: docker build -t {ref} {id_}",
    )


def cannot_start(ref: str, said: str) -> Wrong:
    """Say why Docker cannot start an image.

    Args:
        ref: the image.
        said: what Docker said.
    """
    return Wrong(
        "cannot-start",
        saw=f"Docker cannot start {ref}: {_reason(said)}",
        want="a container that starts",
        try_=f"docker run --rm {ref}   shows the whole error",
    )


def _reason(said: str) -> str:
    # runc puts what it tried before what went wrong: the reader needs the end.
    reason = said.rsplit("runc create failed: ", 1)[-1].removesuffix(": unknown").strip()
    return reason[-_MOST:]


def arguments_lost(ref: str, arguments: Sequence[str], how: str) -> Wrong:
    """Say that what follows an image's name does not reach its program.

    Args:
        ref: the image.
        arguments: what followed.
        how: what Docker said, how the container ended, or what the service did instead.
    """
    words = shlex.join(arguments)
    return Wrong(
        "arguments-lost",
        saw=f"`docker run {ref} {words}`: {_reason(how)}",
        want=f"the program of {ref}, started with `{words}`",
        try_=f"docker run --rm {ref} uname -r   does `docker run` add these words, or take them "
        "for the command?",
    )


def other_processor(ref: str, is_for: str, ours: str) -> Wrong:
    """Say that the kernel cannot run an image, or the program in it.

    Args:
        ref: the image.
        is_for: the processor that the image names.
        ours: the one of this machine.
    """
    if is_for == ours:
        return Wrong(
            ARCHITECTURE,
            saw=f"the kernel cannot run what `{ref}` starts: {EXEC_FORMAT}",
            want=f"a program for {ours}, or a script whose first line begins with #!",
            try_=f"docker image inspect {ref} --format '{{{{.Config.Cmd}}}}'",
        )
    return Wrong(
        ARCHITECTURE,
        saw=f"`{ref}` is an image for {is_for}",
        want=f"an image for {ours}, which this machine runs",
        try_="build it without --platform, and from a FROM without it",
    )


def endless(request: str, path: str, how: str) -> Wrong:
    """Say that an answer begins and does not end.

    Args:
        request: e.g. `GET /`.
        path: its path.
        how: how far it came.
    """
    return Wrong(
        "answer-endless",
        saw=f"the answer to {request} does not end: {how}",
        want="an answer that ends",
        try_=f"curl --max-time 5 -i …{path}   shows how it goes on",
    )


def no_reply(heard: Heard, ref: str, port: int, want: str) -> Wrong:
    """Say why nothing answered: it runs and does not listen, or it has ended.

    Args:
        heard: how the container is.
        ref: its image, as the learner names it.
        port: where it should listen.
        want: what should answer.
    """
    if isinstance(heard, Ended):
        return Wrong(
            "crashes",
            saw=f"the container ended with exit code {heard.code}: {heard.line}",
            want=want,
            try_=f"docker run --rm {ref}   shows the whole error",
        )
    return Wrong(
        NO_ANSWER,
        saw=f"the container runs, but nothing answers on its port {port}",
        want=want,
        try_=f"docker run --rm {ref}   and read what it prints",
        timed=True,
    )
