"""Wrong and alternative answers of every exercise, one module a lesson."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from course.exercises.kit.lab import Lab

WAYS = ("fits-the-probe", "forged", "from-elsewhere", "works-once", "feature-gone", "nearly")
"""The kinds of wrong answers that pass a check which asks too little."""
KINDS = (
    "not-the-serving-object",
    "wrong-name",
    "stale",
    "symptom-hidden",
    "warned-means",
    *WAYS,
    "unchanged",
    "solution",
    "alternative",
)
"""The classes of wrong answers: slips and shortcuts that learners take; those that pass a check
which asks too little; nothing changed. Then of right answers: the solution's own, and those found
by other means."""


@dataclass(frozen=True)
class Answer:
    """One answer to an exercise.

    Args:
        name: what it is, in a few words.
        apply: gives it, from the exercise's start state.
        cause: the code of its true cause; empty if it is right, or if nothing is changed: then it
            is the one that the exercise declares.
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
