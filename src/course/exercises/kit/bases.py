"""Which images a judged build may stand on: those that other machines can have, too."""

from __future__ import annotations

import re
from collections.abc import Mapping

from course.artifacts import images
from course.core.process import CommandError, default_runner
from course.core.text import cut
from course.exercises.kit.verdict import BASE_ONLY_HERE, Wrong
from course.measure.registry_client import Repository

_ASK_WAIT = 15.0
_LINE = 160
_NO_TAG = "latest"


def why_only_here(ref: str, registry: str, env: Mapping[str, str]) -> str:
    """Return why no other machine can have an image; empty if it can.

    The course's own images are not asked for: offline, they are all that a build can begin with.

    Args:
        ref: the image, as the builder names it.
        registry: `$REGISTRY`, which is asked directly.
        env: the engine's variables.

    Raises:
        CourseError: `$REGISTRY` does not answer.
    """
    name, _, digest = ref.partition("@")
    if name in images.catalogue():
        return ""
    host, _, path = name.partition("/")
    if host == registry:
        repository, _, tag = path.partition(":")
        served = Repository(registry, repository).manifest(digest or tag or _NO_TAG)
        return "" if served else "the registry does not have it"
    argv = ("docker", "buildx", "imagetools", "inspect", ref)
    try:
        done = default_runner().run(argv, timeout=_ASK_WAIT, env=env, check=False)
    except CommandError:
        return f"its registry has not answered in {_ASK_WAIT:.0f} s"
    if done.code == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    said = re.sub(r"^ERROR: ", "", lines[-1].strip()) if lines else f"exit code {done.code}"
    # What was tried is before what went wrong.
    return said if len(said) <= _LINE else cut(said.rsplit(": ", 1)[-1], _LINE)


def only_here(ref: str, why: str) -> Wrong:
    """Say that a build stands on an image that no other machine can have.

    Args:
        ref: the image.
        why: why it cannot.
    """
    return Wrong(
        BASE_ONLY_HERE,
        saw=f"the build takes from the image `{ref}`, which only this machine has: {why}",
        want="a build that another machine can do too, from images that a registry serves",
        try_=f"docker buildx imagetools inspect {ref}   asks its registry",
    )
