"""What of the course one run of the tests proves, and in which order."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from course.dev.things import Kind, Thing


class Reason(StrEnum):
    """Why a thing is run."""

    CHANGED = "changed"
    ELSEWHERE = "proven elsewhere"
    OTHER = "another answer of the bank"
    ASKED = "asked for"


ORDER = (Kind.SOLUTION, Kind.LESSON, Kind.ANSWER, Kind.LAB, Kind.CLUSTER, Kind.BROWSER)
"""Kinds in the order in which changed things are run: a solution goes through most of the course's
code, so that whatever a change in the core broke is seen first. Tables show their rows in it too.
Kinds of one of `proving.LANES` stand side by side."""
DEFAULT_SECONDS = {
    Kind.SOLUTION: 180.0,
    Kind.LESSON: 120.0,
    Kind.ANSWER: 20.0,
    Kind.LAB: 45.0,
    Kind.CLUSTER: 30.0,
    Kind.BROWSER: 45.0,
}
"""What a thing is taken for that has never run and states no `test_seconds`."""


@dataclass(frozen=True)
class Budget:
    """Seconds from the start of a run.

    Args:
        begin: until when things are begun that are proven already, elsewhere.
        end: when everything has to have ended.
        factor: by how much longer than last time a thing may take.
        last: when what has not ended by then is ended.
        building: most seconds of building that are begun.
    """

    begin: float = 60 * 60.0
    end: float = 80 * 60.0
    factor: float = 1.5
    last: float = 86 * 60.0
    building: float = 40 * 60.0

    def fits(self, planned: Planned, elapsed: float) -> bool:
        """Say whether a thing may be begun now.

        Args:
            planned: the thing.
            elapsed: seconds since the start of the run.
        """
        if planned.reason is Reason.ASKED:
            return True
        in_time = elapsed <= self.begin or planned.reason is Reason.CHANGED
        return in_time and elapsed + planned.seconds * self.factor <= self.end


@dataclass(frozen=True)
class Planned:
    """A thing that is to be run.

    Args:
        thing: what.
        reason: why.
        seconds: how long it took last, or is expected to.
    """

    thing: Thing
    reason: Reason
    seconds: float


def plan(
    things: Sequence[Thing],
    fingerprints: Mapping[Thing, str],
    committed: Collection[str],
    cached: Collection[str],
    *,
    ci: bool,
    commit: str,
    seconds: Mapping[Thing, float],
) -> list[Planned]:
    """Order what a run has to prove, then what it goes on with while there is time.

    Args:
        things: all that there are.
        fingerprints: thing → its fingerprint.
        committed: fingerprints that somebody has proven.
        cached: fingerprints that this machine itself has proven.
        ci: what others have proven is run again even if this machine has proven it too.
        commit: its hash turns the order, so that another commit begins elsewhere.
        seconds: thing → how long it takes.

    Returns:
        First what has no proof, by kind. Then, on CI or where this machine has not proven the
        rest itself, that rest, solutions first, and the other answers of the banks.
    """
    own = [thing for thing in things if thing.proves]
    changed = [t for t in own if fingerprints[t] not in committed and fingerprints[t] not in cached]
    rest = [t for t in own if t not in set(changed) and (ci or fingerprints[t] not in cached)]
    queue = [(thing, Reason.CHANGED) for thing in _by_kind(changed, commit)]
    if ci or rest:
        solutions = [thing for thing in rest if thing.kind is Kind.SOLUTION]
        others = [thing for thing in rest if thing.kind is not Kind.SOLUTION]
        ordered = [*rotated(solutions, commit), *rotated(others, commit)]
        queue += [(thing, Reason.ELSEWHERE) for thing in ordered]
        bank = [t for t in things if not t.proves and (ci or fingerprints[t] not in cached)]
        queue += [(thing, Reason.OTHER) for thing in rotated(bank, commit)]
    return [Planned(thing, reason, seconds[thing]) for thing, reason in queue]


def _by_kind(things: Sequence[Thing], commit: str) -> Iterable[Thing]:
    for kind in ORDER:
        yield from rotated([thing for thing in things if thing.kind is kind], commit)


def rotated(things: Sequence[Thing], commit: str) -> list[Thing]:
    """Return the same things, begun at another one for each commit.

    Args:
        things: in their order.
        commit: its hash; anything else turns nothing.
    """
    try:
        by = int(commit[:8], 16) % len(things)
    except (ValueError, ZeroDivisionError):
        by = 0
    return [*things[by:], *things[:by]]


def all_again(these: Sequence[Thing], seconds: Mapping[Thing, float]) -> list[Planned]:
    """Order the proof of things that were asked for: notebooks before and after all else.

    Args:
        these: of one lesson, or all files of a folder.
        seconds: thing → how long it takes.
    """
    twice = [t for t in these if t.kind in (Kind.SOLUTION, Kind.LESSON)]
    once = [t for t in these if t not in twice]
    ordered = [*sorted(twice, key=_rank), *sorted(once, key=_rank), *sorted(twice, key=_rank)]
    return [Planned(thing, Reason.ASKED, seconds[thing]) for thing in ordered]


def _rank(thing: Thing) -> int:
    return ORDER.index(thing.kind)


def expected(queue: Sequence[Planned], budget: Budget, elapsed: float) -> list[Planned]:
    """Return what would be begun if each thing took as long as it did last.

    Args:
        queue: as `plan` ordered it.
        budget: of the run.
        elapsed: seconds until the first one begins.
    """
    begun = []
    for planned in queue:
        if budget.fits(planned, elapsed):
            begun.append(planned)
            elapsed += planned.seconds
    return begun


@dataclass(frozen=True)
class Row:
    """A row of the table that a run ends with.

    Args:
        name: a kind.
        now: things that this run proved.
        earlier: proven before, here or elsewhere.
        unproven: neither.
    """

    name: str
    now: int
    earlier: int
    unproven: int

    @property
    def all(self) -> int:
        """How many there are."""
        return self.now + self.earlier + self.unproven


def table(things: Sequence[Thing], now: Collection[Thing], earlier: Collection[Thing]) -> list[Row]:
    """Count per kind; the last row counts all but the banks' other answers, which precede it.

    Args:
        things: all that there are.
        now: what this run has proven.
        earlier: what has a proof from before.
    """

    def row(name: str, these: Sequence[Thing]) -> Row:
        done = sum(thing in now for thing in these)
        before = sum(thing in earlier and thing not in now for thing in these)
        return Row(name, done, before, len(these) - done - before)

    judged = [thing for thing in things if thing.proves]
    rows = [row(kind, [t for t in judged if t.kind is kind]) for kind in ORDER]
    others = [thing for thing in things if not thing.proves]
    return [*rows, row("all", judged), row("other answers", others)]
