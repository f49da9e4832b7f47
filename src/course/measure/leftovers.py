"""What a check makes to look at, and what of it a killed process left behind.

Each thing carries the key of the process that made it (`locks.process_key`), as a label or in its
own name. The next process that asks Docker removes what those made that live no more.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from course.core import duplicate, locks
from course.core.names import CHECK_IMAGE, OWNER_LABEL, PROCESS_LABEL

_FOLDER = "course-copy-"


def labels() -> dict[str, str]:
    """Of what must not outlive this process."""
    owner, _, course = OWNER_LABEL.partition("=")
    return {owner: course, PROCESS_LABEL: locks.process_key()}


def tag(name: str) -> str:
    """The name of a new image that must not outlive this process.

    Args:
        name: what tells it from the process's other images.
    """
    return f"{CHECK_IMAGE}:{locks.process_key()}-{name}"


def folder() -> Path:
    """A new folder that must not outlive this process."""
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{locks.process_key()}-")).resolve()


def find(docker: Any) -> Iterator[tuple[str, Callable[[], object]]]:
    """What was left behind: what it is called, and what removes it.

    Args:
        docker: a client of Docker's SDK.
    """
    api, marked = docker.api, {"label": PROCESS_LABEL}
    # The SDK's own lists ask for each thing once more, and fail if one is removed meanwhile.
    kinds: tuple[tuple[str, list[dict[str, Any]], Callable[[str], object]], ...] = (
        (
            "Id",
            api.containers(all=True, filters=marked),
            partial(api.remove_container, v=True, force=True),
        ),
        ("Id", api.networks(filters=marked), api.remove_network),
        (
            "Name",
            api.volumes(filters=marked)["Volumes"] or [],
            partial(api.remove_volume, force=True),
        ),
    )
    for key, listed, remove in kinds:
        for one in listed:
            if not locks.is_alive(one["Labels"][PROCESS_LABEL]):
                yield one[key], partial(remove, one[key])
    for image in api.images(name=CHECK_IMAGE):
        for ref in image["RepoTags"] or []:
            if not locks.is_alive(ref.partition(":")[2]):
                yield ref, partial(api.remove_image, ref, force=True)
    for left in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        # Anybody may put a link of such a name there that leads to what is ours.
        facts = left.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
            continue
        if not locks.is_alive(left.name.removeprefix(_FOLDER).rpartition("-")[0]):
            yield str(left), partial(duplicate.remove, left)


def remove(docker: Any) -> None:
    """Remove what was left behind, as far as that can be done.

    Args:
        docker: a client of Docker's SDK.
    """
    from docker import errors

    for _, away in find(docker):
        with contextlib.suppress(errors.APIError):
            away()
