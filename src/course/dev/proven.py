"""What is proven of the clone, for `course dev proofs`."""

from __future__ import annotations

import difflib

from course.core import manifest, paths
from course.core.errors import CourseError
from course.dev import fingerprint, needs, proofs
from course.dev.things import Thing, things


def _fingerprints() -> dict[Thing, str]:
    conditions = needs.conditions()
    found = things(paths.ROOT, manifest.load())
    return {thing: fingerprint.fingerprint(thing, paths.ROOT, conditions) for thing in found}


def listing() -> list[str]:
    """Return what is proven and what is not, a line each; the last is `N unproven`.

    Raises:
        CourseError: bench/proofs.json cannot be read.
    """
    prints = _fingerprints()
    return proofs.listing(list(prints), prints, proofs.committed(paths.ROOT), proofs.cached())


def save() -> list[str]:
    """Write bench/proofs.json and return what has become of it.

    Raises:
        CourseError: bench/proofs.json cannot be read.
    """
    prints = _fingerprints()
    dropped = proofs.save(paths.ROOT, {value: thing for thing, value in prints.items()})
    lines = [f"dropped: {p.kind} {p.name}, {p.date}, {p.commit[:10]}" for p in dropped]
    saved = proofs.committed(paths.ROOT)
    lines.append(f"✓ {proofs.committed_file(paths.ROOT)}: {len(saved)} proofs")
    count = sum(thing.proves and value not in saved for thing, value in prints.items())
    return [*lines, f"{count} unproven"]


def why(name: str) -> list[str]:
    """Return what goes into the fingerprints of the things of a name, a line each.

    Args:
        name: as `listing` shows it.

    Raises:
        CourseError: nothing is called so.
    """
    all_ = things(paths.ROOT, manifest.load())
    those = [thing for thing in all_ if thing.name == name]
    if not those:
        near = difflib.get_close_matches(name, [thing.name for thing in all_], n=1, cutoff=0.3)
        raise CourseError(
            f"nothing to prove is called `{name}`",
            f"`{near[0]}`?" if near else "a name that is listed",
            "course dev proofs   lists them",
        )
    conditions = needs.conditions()
    lines = []
    for thing in those:
        value = fingerprint.fingerprint(thing, paths.ROOT, conditions)
        lines.append(f"{thing.kind} {thing.name}: {value}")
        made_of = fingerprint.parts(thing, paths.ROOT, conditions)
        lines += [f"  {digest[:12]}  {part}" for part, digest in made_of.items()]
    return lines
