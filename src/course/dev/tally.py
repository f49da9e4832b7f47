"""What a run of the tests has counted, and what it says at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from course.core.errors import CourseError
from course.dev import schedule
from course.dev.outcomes import Record
from course.dev.proofs import Proof, Proofs
from course.dev.things import Kind, Thing

FEW, SHARE, MANY = 2, 0.02, 200
"""How many that could not be judged a run may have: two, or a share of many answers."""


@dataclass
class Tally:
    """What a run has counted.

    Args:
        passed: test items.
        failed: test items.
        judged: answers that were asked for a verdict.
        unjudged: what could not be judged, and what was said.
        proven: fingerprint → proof, of things that passed in this run.
        things: the same as things.
    """

    passed: int = 0
    failed: int = 0
    judged: int = 0
    unjudged: dict[str, str] = field(default_factory=dict)
    proven: dict[str, Proof] = field(default_factory=dict)
    things: set[Thing] = field(default_factory=set)

    def count(self, record: Record) -> None:
        """Add the items of one run of pytest.

        Args:
            record: what it wrote.
        """
        self.passed += record.count("passed")
        self.failed += record.count("failed")

    def refuse(self) -> None:
        """Refuse a run in which too much could not be judged.

        Raises:
            CourseError: it was more than two, or of many answers more than a share.
        """
        most = SHARE * self.judged if self.judged >= MANY else FEW
        if len(self.unjudged) > most:
            raise CourseError(
                f"{len(self.unjudged)} could not be judged, of {self.judged} answers",
                f"at most {most:.0f}",
                "end what else keeps this machine busy, then run it again",
            )


def command(thing: Thing) -> str:
    """Return the command that proves a thing.

    Args:
        thing: any.
    """
    lesson = thing.kind if thing.kind in (Kind.CLUSTER, Kind.BROWSER) else thing.stem
    return f"make test-all LESSON={lesson}"


def summary(
    all_: Sequence[Thing],
    fingerprints: Mapping[Thing, str],
    old: Proofs,
    mine: Proofs,
    tally: Tally,
) -> list[str]:
    """Return the last lines of a run.

    Args:
        all_: all things; empty if the run failed before it looked.
        fingerprints: thing → its fingerprint.
        old: what was committed when it began.
        mine: what this machine had proven by then.
        tally: what it has counted.
    """
    lines = []
    if all_:
        earlier = {thing for thing in all_ if fingerprints[thing] in {**old, **mine}}
        lines.append(f"\n{'':<14}{'proven now':>12}{'earlier':>10}{'unproven':>10}{'all':>6}")
        for row in schedule.table(all_, tally.things, earlier):
            figures = f"{row.now:>12}{row.earlier:>10}{row.unproven:>10}{row.all:>6}"
            lines.append(f"{row.name:<14}{figures}")
        left = [t for t in all_ if t.proves and t not in tally.things and t not in earlier]
        lines += [f"changed, unproven: {one}" for one in _left(left)]
    lines += [f"could not judge: {node}: {said}" for node, said in tally.unjudged.items()]
    lines.append(f"could not judge: {len(tally.unjudged)}")
    lines.append(f"{tally.passed} passed, {tally.failed} failed")
    return lines


def _left(left: Sequence[Thing]) -> list[str]:
    """What is unproven, by the command that proves it."""
    by: dict[str, list[Thing]] = {}
    for thing in left:
        by.setdefault(command(thing), []).append(thing)
    said = []
    for proving, those in by.items():
        kinds = {kind: sum(t.kind is kind for t in those) for kind in schedule.ORDER}
        words = ", ".join(f"{count} x {kind}" for kind, count in kinds.items() if count)
        said.append(f"{words}: {proving}")
    return said
