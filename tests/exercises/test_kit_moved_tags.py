"""course.exercises.kit.moved_tags: tags move for a while, and are put back whatever happens."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest

from course.exercises.kit import moved_tags

TAGS = {"4.1": "sha256:a", "latest": "sha256:a"}


class Registry:
    """A repository with an image under two tags."""

    def __init__(self) -> None:
        self.named = dict(TAGS)
        self.labels: dict[str, dict[str, str]] = {}

    def tags(self) -> dict[str, str]:
        return dict(self.named)

    def relabel(self, reference: str, labels: dict[str, str]) -> str:
        made = f"sha256:{reference}{len(self.labels)}"
        self.labels[made] = labels
        return made

    def retag(self, tag: str, digest: str) -> None:
        self.named[tag] = digest

    def remove(self, digest: str) -> None:
        del self.labels[digest]


class Lab:
    """What an exercise remembers."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        moved_tags.forget(self)  # type: ignore[arg-type]

    def observe(self, _: str) -> Any:
        return nullcontext()

    def remember(self, name: str, value: str) -> None:
        self.facts[name] = value

    def recall(self, name: str) -> str:
        return self.facts[name]


def test_each_tag_names_an_image_that_says_by_which_tag_it_was_found() -> None:
    lab, there = Lab(), Registry()
    with moved_tags.moved(lab, there, "b") as before:  # type: ignore[arg-type]
        assert before == TAGS
        said = {tag: there.labels[digest] for tag, digest in there.named.items()}
        assert said == {tag: {moved_tags.LABEL: tag} for tag in TAGS}
    assert (there.named, there.labels) == (TAGS, {})


def test_a_wrong_answer_leaves_the_tags_as_they_were() -> None:
    lab, there = Lab(), Registry()
    with pytest.raises(ZeroDivisionError), moved_tags.moved(lab, there, "b"):  # type: ignore[arg-type]
        raise ZeroDivisionError
    assert (there.named, there.labels, lab.facts) == (TAGS, {}, {"tags": "{}"})


def test_what_a_killed_check_moved_is_put_back_by_the_next_one() -> None:
    lab, there = Lab(), Registry()
    there.named = dict.fromkeys(TAGS, "sha256:left")
    lab.remember("tags", json.dumps(TAGS))
    with moved_tags.moved(lab, there, "b") as before:  # type: ignore[arg-type]
        assert before == TAGS
    assert there.named == TAGS
