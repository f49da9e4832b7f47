"""The fingerprint of a thing to prove: a hash over all that can change how it goes.

It is made of contents and of nothing else: no date, no path outside the clone, no setting of the
machine. So it is the same in every clone, and an equal one was proven, wherever that was. It holds:

* the thing's own text: of a notebook the code cells, their tags and the outputs that nbval compares
  (prose does not run); of an answer its bank, its exercise's entry and the test that judges it; of
  a file of tests the file and its conftests; of an unsolved lab also the test that runs it;
* all that this is made of, as `dependencies` follows it;
* the engine: its name, its image store, the version of Kubernetes; the addresses of the tools'
  releases, which hold their versions, and the Go modules that stand in for them;
* `uv.lock`.

How `course up` puts the engine together is in the fingerprints of the tests that ask it, not in
those of lessons: these rely on what it gives, and that is what the tests hold.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from course.dev import dependencies
from course.dev.dependencies import hashed
from course.dev.things import BANK, FOLDERS, JUDGE, Kind, Thing, module_of

_COMPARED_BY = "tests/nbval.cfg"


@dataclass(frozen=True)
class Conditions:
    """What a proof was made on.

    Args:
        engine: its name, e.g. `kind`.
        image_store: Docker's, e.g. `containerd`.
        kubernetes: its version, e.g. `v1.36.4`.
    """

    engine: str
    image_store: str
    kubernetes: str


def fingerprint(thing: Thing, root: Path, conditions: Conditions) -> str:
    """The fingerprint of a thing, as 64 hexadecimal digits.

    All fingerprints of a process are of one state of the clone, see `forget`.

    Args:
        thing: what is to be proved.
        root: the clone.
        conditions: what it is proved on.

    Raises:
        CourseError: a file that it is made of is missing, or cannot be read.
    """
    return hashed([thing.kind, thing.name, parts(thing, root, conditions)])


_EDITS = "tests.bank.edits"
"""A bank that imports this makes its answers of the lab's own solution."""


def parts(thing: Thing, root: Path, conditions: Conditions) -> dict[str, str]:
    """What goes into a fingerprint.

    Args:
        thing: what is to be proved.
        root: the clone.
        conditions: what it is proved on.

    Returns:
        A path in the clone, an entry, a command or a condition → its hash; in sorted order.

    Raises:
        CourseError: a file that it is made of is missing, or cannot be read.
    """
    clone = dependencies.graph_of(root.resolve())
    nodes = clone.reached([*_begin(thing, root), *clone.tools(), "uv.lock"])
    made = {node: clone.hash(node) for node in nodes}
    made |= {name: hashed(value) for name, value in asdict(conditions).items()}
    return dict(sorted(made.items()))


def forget() -> None:
    """Read the clone again for the next fingerprint."""
    dependencies.graph_of.cache_clear()


def _begin(thing: Thing, root: Path) -> list[str]:
    """The nodes that a thing consists of by itself."""
    stem = thing.stem
    if thing.kind in (Kind.CLUSTER, Kind.BROWSER):
        beside = [f"{folder}/conftest.py" for folder in PurePosixPath(thing.name).parents]
        return [thing.name, *(name for name in beside if (root / name).exists())]
    if thing.kind is Kind.ANSWER:
        id_, bank = thing.name.partition(": ")[0], f"{BANK}/{module_of(stem)}.py"
        own = [bank, JUDGE, dependencies.exercise(id_), dependencies.lesson(stem)]
        file = root / bank  # that it is missing is said where it is hashed
        if file.is_file() and _EDITS in file.read_text(encoding="utf-8"):
            own.append(f"{FOLDERS[Kind.SOLUTION]}/{stem}.ipynb: {id_}")
        return own
    by = JUDGE if thing.kind is Kind.LAB else _COMPARED_BY
    return [f"{FOLDERS[thing.kind]}/{stem}.ipynb", by, dependencies.lesson(stem)]
