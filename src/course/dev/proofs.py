"""Recorded passes: what ran on an engine and passed, by the fingerprint of all it depends on.

`bench/proofs.json` is committed, so that a new machine knows what was proven; a run keeps its own
proofs in the machine's cache and writes nothing into the clone.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course.core import files, locks, paths
from course.core.errors import CourseError
from course.dev.things import Thing

SAVE = "course dev proofs --save"
_LAST = "~"
"""The key of the file's last line, so that every proof's line ends alike and git merges lines."""
_NOTE = f"one line a proof, written by `{SAVE}`"
_KEPT = 20
"""Proofs of one thing that the cache keeps: a branch that is checked out again is proven still."""
_LOCK_WAIT = 60.0


@dataclass(frozen=True)
class Proof:
    """One recorded pass.

    Args:
        kind: of the thing.
        name: of the thing.
        commit: that was checked out.
        date: the day, only to be shown.
        seconds: how long it took.
    """

    kind: str
    name: str
    commit: str
    date: str
    seconds: float


Proofs = Mapping[str, Proof]
"""Fingerprint → proof."""


def committed_file(root: Path) -> Path:
    """Return the file of the clone.

    Args:
        root: the clone.
    """
    return root / "bench" / "proofs.json"


def cached_file() -> Path:
    """Return the file of this machine."""
    return paths.cache() / "proofs.json"


def committed(root: Path) -> dict[str, Proof]:
    """Read what was proven here or elsewhere; nothing if the file is missing.

    Args:
        root: the clone.

    Raises:
        CourseError: the file cannot be read, as after a merge with conflicts.
    """
    file = committed_file(root)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise _broken(file, str(error)) from error
    marker = next(
        (
            i
            for i, line in enumerate(text.splitlines(), 1)
            if line.startswith(("<<<<<<<", ">>>>>>>"))
        ),
        0,
    )
    if marker:
        raise _broken(file, f"line {marker} is a conflict's marker")
    try:
        return _parsed(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise _broken(file, str(error)) from error


def _broken(file: Path, why: str) -> CourseError:
    return CourseError(
        f"{file.parent.name}/{file.name}: {why}",
        "one proof a line, as JSON",
        f"git checkout --theirs {file.parent.name}/{file.name} (or --ours: either will do), "
        f"then: {SAVE}",
    )


def cached() -> dict[str, Proof]:
    """Read what this machine has proven itself; a missing or damaged file means nothing."""
    try:
        return _parsed(cached_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _parsed(text: str) -> dict[str, Proof]:
    data: dict[str, Any] = json.loads(text or "{}")
    return {key: Proof(**entry) for key, entry in data.items() if key != _LAST}


def written(proofs: Proofs) -> str:
    """Return the text of a file of proofs: a line each, by kind, name and fingerprint.

    Args:
        proofs: fingerprint → proof.
    """
    ordered = sorted(proofs.items(), key=lambda item: (item[1].kind, item[1].name, item[0]))
    lines = [
        f"{json.dumps(key)}: {json.dumps(asdict(proof), ensure_ascii=False)}"
        for key, proof in ordered
    ]
    return "{\n" + ",\n".join([*lines, f'"{_LAST}": {json.dumps(_NOTE)}']) + "\n}\n"


def keep(new: Proofs) -> None:
    """Add proofs to this machine's cache; what another run adds at the same time stays.

    Args:
        new: fingerprint → proof.

    Raises:
        CourseError: another run holds the file for too long.
    """
    file = cached_file()
    with locks.hold(
        file.with_suffix(".lock"),
        wait=_LOCK_WAIT,
        what=f"another run is writing {file}",
        try_="run it again",
    ):
        old = {key: proof for key, proof in cached().items() if key not in new}
        proofs = old | dict(new)
        room = Counter((proof.kind, proof.name) for proof in proofs.values())
        kept = {}
        for key, proof in proofs.items():  # the oldest first
            if room[proof.kind, proof.name] > _KEPT:
                room[proof.kind, proof.name] -= 1
            else:
                kept[key] = proof
        # In the order in which they were proven, by which the oldest go.
        text = json.dumps({key: asdict(proof) for key, proof in kept.items()}, indent=0)
        files.atomic_write(file, text)


def save(root: Path, present: Mapping[str, Thing]) -> list[Proof]:
    """Write `bench/proofs.json` from what is committed and what this machine has proven.

    Where both have a proof, the committed one stays: a line changes only if its thing has.

    Args:
        root: the clone.
        present: fingerprint → thing, of all things that there are.

    Returns:
        The committed proofs that are dropped, since their fingerprint is no longer any thing's.

    Raises:
        CourseError: the file cannot be read: then only what the cache has could be saved.
    """
    old, mine = committed(root), cached()
    kept = {
        key: old.get(key) or mine[key]
        for key, thing in present.items()
        if thing.proves and (key in old or key in mine)
    }
    committed_file(root).parent.mkdir(exist_ok=True)
    files.atomic_write(committed_file(root), written(kept))
    return [proof for key, proof in old.items() if key not in kept]


def problems(root: Path) -> list[str]:
    """Return what is wrong with the committed file, a line each.

    Args:
        root: the clone.
    """
    try:
        committed(root)
    except CourseError as error:
        return [f"{error.saw}: {error.try_}"]
    return []


def last_seconds(*known: Proofs) -> dict[tuple[str, str], float]:
    """Return kind and name → seconds that the thing took last, whatever has changed since.

    Args:
        known: proofs; a later one's seconds win.
    """
    return {(p.kind, p.name): p.seconds for proofs in known for p in proofs.values()}


def listing(
    things: Sequence[Thing], fingerprints: Mapping[Thing, str], old: Proofs, mine: Proofs
) -> list[str]:
    """Say what is proven and what is not, a line each; the last is `N unproven`.

    Args:
        things: all that there are.
        fingerprints: thing → its fingerprint.
        old: what is committed.
        mine: what this machine has proven.
    """
    lines: list[str] = []
    known = {**old, **mine}
    judged = [thing for thing in things if thing.proves]
    for kind in dict.fromkeys(thing.kind for thing in judged):
        these = [thing for thing in judged if thing.kind == kind]
        proven = [thing for thing in these if fingerprints[thing] in known]
        lines.append(f"{kind}: {len(proven)} of {len(these)} proven")
        for thing in these:
            lines.append("  " + _line(thing, fingerprints[thing], old, mine))
    gone = _gone(old, fingerprints.values())
    if gone:
        lines.append(f"no longer any thing's ({SAVE} drops them): {len(gone)}")
        lines += [f"  {p.kind} {p.name}, {p.date}, {p.commit[:10]}" for p in gone]
    unsaved = sum(fingerprints[t] in mine and fingerprints[t] not in old for t in judged)
    if unsaved:
        lines.append(f"proven here and not committed: {unsaved}; {SAVE}")
    count = sum(fingerprints[thing] not in known for thing in judged)
    return [*lines, f"{count} unproven"]


def _line(thing: Thing, fingerprint: str, old: Proofs, mine: Proofs) -> str:
    proof = mine.get(fingerprint) or old.get(fingerprint)
    if proof is None:
        return f"· {thing.name}: unproven"
    where = "here" if fingerprint in mine else "elsewhere"
    return f"✓ {thing.name}: {where}, {proof.date}, {proof.commit[:10]}, {proof.seconds:.0f} s"


def _gone(old: Proofs, present: Iterable[str]) -> list[Proof]:
    there: Collection[str] = set(present)
    return [proof for key, proof in old.items() if key not in there]
