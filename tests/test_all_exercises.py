"""What all exercises have to keep to, whatever they are about."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path

import pytest

from course.core import manifest, waiting
from course.exercises.kit import clients
from course.exercises.kit import exercise as exercise_
from course.exercises.kit.lab import Lab

IDS = [exercise.id for lesson in manifest.load().lessons for exercise in lesson.exercises]


class Nowhere(Lab):
    """a lab without an engine that notes which names a start state frees for itself."""

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.names: list[str] = []

    def rename_existing(self, ref: str) -> None:
        self.names.append(ref)

    def run(self, *argv: object, wait: float = 0, check: bool = True) -> str:
        raise ConnectionError(argv)


def nowhere(name: str) -> str:
    """What a variable of the engine is where there is none."""
    raise ConnectionError(name)


def names(id_: str) -> list[str]:
    """The images that an exercise begins with."""
    lab = Nowhere(id_)
    with contextlib.suppress(ConnectionError):
        exercise_.find(id_).begin(lab)
    return lab.names


def test_no_two_exercises_share_the_name_of_an_image(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even its part before the colon: a message says which other tags of it there are."""
    owners: dict[str, set[str]] = defaultdict(set)
    monkeypatch.setattr(waiting, "shown", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(clients, "variable", nowhere)
    for id_ in IDS:
        for name in names(id_):
            owners[name.partition(":")[0]].add(id_)
    assert len(owners) >= 12
    assert {name: sorted(ids) for name, ids in owners.items() if len(ids) > 1} == {}


def test_no_two_exercises_share_a_folder() -> None:
    """Folders, networks and copies carry the exercise's id."""
    assert len(IDS) == len(set(map(str.lower, IDS)))
