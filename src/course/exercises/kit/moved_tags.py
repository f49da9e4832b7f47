"""Move every tag of a repository for a while: a build that follows one of them then shows which."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from course.measure.registry_client import Repository

if TYPE_CHECKING:
    from course.exercises.kit.lab import Lab

LABEL = "course.moved"
"""The label of an image that a tag was moved to; its value is the tag."""
_FACT = "tags"
_NONE = "{}"


def forget(lab: Lab) -> None:
    """Begin with a repository whose tags nobody has moved.

    Args:
        lab: of the exercise.
    """
    lab.remember(_FACT, _NONE)


@contextmanager
def moved(lab: Lab, repository: Repository, to: str) -> Iterator[Mapping[str, str]]:
    """Let every tag name an image that says by its label which tag it was found by.

    Interrupted, it leaves a note of what the tags named; the next one puts that back first.

    Args:
        lab: of the exercise.
        repository: whose tags are moved.
        to: the digest of the image that they name meanwhile, but for the label.

    Yields:
        Tag → the digest that it named before, and names again after.

    Raises:
        CourseError: the registry does not answer.
    """
    with lab.observe("a look at the base's tags"):
        _put_back(repository, json.loads(lab.recall(_FACT)))
        before = repository.tags()
    lab.remember(_FACT, json.dumps(before))
    made: list[str] = []
    try:
        with lab.observe("a move of each of the base's tags"):
            for tag in before:
                made.append(repository.relabel(to, {LABEL: tag}))
                repository.retag(tag, made[-1])
        yield before
    finally:
        with lab.observe("the tags put back"):
            _put_back(repository, before)
            lab.remember(_FACT, _NONE)
            for digest in made:
                repository.remove(digest)


def _put_back(repository: Repository, tags: Mapping[str, str]) -> None:
    for tag, digest in tags.items():
        repository.retag(tag, digest)
