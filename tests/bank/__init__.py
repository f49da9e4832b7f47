"""Wrong and alternative answers of every exercise, one module a lesson."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from course.exercises.kit.lab import Lab

KINDS = (
    "not-the-serving-object",
    "wrong-name",
    "stale",
    "symptom-hidden",
    "special-cased",
    "works-once",
    "warned-means",
    "solution",
    "alternative",
)
"""The classes of slips and shortcuts that learners take; then of right answers: the solution's own,
and those found by other means."""


@dataclass(frozen=True)
class Answer:
    """One answer to an exercise.

    Args:
        name: what it is, in a few words.
        apply: gives it, from the exercise's start state.
        cause: the code of its true cause; empty if it is right.
        kind: one of `KINDS`.
        path: one way through the check's observations, in a word or two, that `make test` proves by
            this answer. Where an exercise has no such mark it judges the solution's own and the
            first wrong one (`course.dev.things.proved`).
    """

    name: str
    apply: Callable[[Lab], None]
    cause: str
    kind: str
    path: str = ""
