"""What became of each test item of a run, a line each: whatever ends the run loses none.

`course.dev.recorder`, a plugin of pytest, writes the file; the suite reads it while pytest runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

ASSIGNMENT = "COURSE_TEST_ASSIGNMENT"
"""The variable that names the file with the plugin's `Assignment`."""
LEFT_OUT = "left out: the time is used up"
UNJUDGED = "could not judge"
"""How a skipped test's reason begins if the machine, and not the answer, was in the way."""

Ending = Literal["passed", "failed", "skipped", "unjudged"]


@dataclass(frozen=True)
class Assignment:
    """What one run of pytest has to do.

    Args:
        record: the file that it writes.
        wanted: node → seconds to set aside for it, in the order in which they run: a file, or one
            item. Without any, all that is collected runs.
        begin_by: nothing is begun after this, by `time.monotonic()`, which all processes of a
            machine share.
        end_by: nothing is begun that would not end by then.
    """

    record: str
    wanted: Mapping[str, float] = field(default_factory=dict)
    begin_by: float = float("inf")
    end_by: float = float("inf")

    def write(self, file: Path) -> None:
        """Write it for the plugin.

        Args:
            file: replaced if it is there.
        """
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Assignment:
        """Read what `write` wrote.

        Args:
            file: as `ASSIGNMENT` names it.
        """
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def node(self, item: str) -> str | None:
        """Return the wanted node that an item belongs to.

        Args:
            item: pytest's name of it.
        """
        return next((n for n in (item, item.partition("::")[0]) if n in self.wanted), None)


@dataclass(frozen=True)
class Outcome:
    """How one item ended.

    Args:
        item: pytest's name of it.
        ending: unjudged means that the machine was in the way.
        seconds: its set-up, call and tear-down.
        said: why it failed or was skipped.
    """

    item: str
    ending: Ending
    seconds: float
    said: str = ""


@dataclass(frozen=True)
class Record:
    """All that one run of pytest wrote so far.

    Args:
        collected: every item that it set out to run.
        outcomes: of those that have ended, by name.
    """

    collected: tuple[str, ...] = ()
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)

    def count(self, ending: Ending) -> int:
        """Count the items that ended so."""
        return sum(one.ending == ending for one in self.outcomes.values())

    def passed(self, nodes: Iterable[str]) -> dict[str, float]:
        """Return the nodes of which every item has passed, with their seconds.

        A skipped item proves nothing, so neither does its file.

        Args:
            nodes: files, or items.
        """
        found = {}
        for node in nodes:
            items = [i for i in self.collected if i == node or i.startswith(node + "::")]
            ended = [self.outcomes[i] for i in items if i in self.outcomes]
            if items and len(ended) == len(items) and all(o.ending == "passed" for o in ended):
                found[node] = sum(one.seconds for one in ended)
        return found

    def of(self, node: str, ending: Ending) -> list[Outcome]:
        """Return the outcomes of a node's items that ended so.

        Args:
            node: a file, or an item.
            ending: how.
        """
        those = [o for i, o in self.outcomes.items() if i == node or i.startswith(node + "::")]
        return [one for one in those if one.ending == ending]

    def ended(self, ending: Ending, nodes: Collection[str]) -> dict[str, Outcome]:
        """Return the nodes with an item that ended so, and the first such item's outcome.

        Args:
            ending: how.
            nodes: files, or items.
        """
        found: dict[str, Outcome] = {}
        for one in self.outcomes.values():
            names = (one.item, one.item.partition("::")[0])
            node = next((name for name in names if name in nodes), one.item)
            if one.ending == ending:
                found.setdefault(node, one)
        return found


def append(file: Path, line: Mapping[str, object]) -> None:
    """Append one line and flush it.

    Args:
        file: the record.
        line: an `Outcome` as a dictionary, or `{"collected": […]}`.
    """
    with file.open("a", encoding="utf-8") as sink:
        sink.write(json.dumps(line) + "\n")


def read(file: Path) -> Record:
    """Read a record, also while it is being written or if it was broken off.

    Args:
        file: if it is not there, nothing has been recorded yet.
    """
    collected: tuple[str, ...] = ()
    outcomes: dict[str, Outcome] = {}
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:
            continue  # the last one, half written
        if "collected" in said:
            collected = tuple(said["collected"])
        else:
            outcomes[said["item"]] = Outcome(**said)
    return Record(collected, outcomes)
