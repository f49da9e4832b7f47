"""What a check has seen, and the verdict that follows from it: pure, so tests need no engine."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from typing import Protocol

from course.exercises.kit.verdict import Wrong


class Noted(Protocol):
    """What keeps the notes of a check."""

    notes: list[str]


class Facts(ABC):
    """What one stage of a check has seen: a frozen dataclass without optional fields."""

    @abstractmethod
    def wrong(self) -> Wrong | None:
        """Say what is wrong: guard clauses, the first that holds; `None` if nothing is."""

    def notes(self) -> Iterator[str]:
        """Say what is worth knowing about facts that are right."""
        return iter(())


Observation = Generator[Facts, None, None]
"""The stages of a check, each judged before the next one begins."""


def judge(check: Noted, observation: Observation) -> None:
    """Judge each stage as soon as it has been seen.

    A wrong one is raised inside the observation, at its `yield`: what runs there ends, and what
    knows a cause behind the cause names that one (`Lab.container`, `Lab.starts`).

    Args:
        check: gets the notes.
        observation: what an exercise's `observe` returned.

    Raises:
        Wrong: at the first stage that is.
    """
    with contextlib.closing(observation):
        for facts in observation:
            try:
                see(check, facts)
            except Wrong as wrong:
                observation.throw(wrong)
                raise


def see(check: Noted, facts: Facts) -> None:
    """Judge one stage, and keep its notes if it is right.

    Args:
        check: gets the notes.
        facts: what was seen.

    Raises:
        Wrong: it is.
    """
    if wrong := facts.wrong():
        raise wrong
    check.notes += [note for note in facts.notes() if note not in check.notes]
