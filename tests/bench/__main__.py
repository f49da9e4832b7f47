"""Measure, print and keep."""

from __future__ import annotations

import importlib
import sys

from course.dev import results

SUBJECTS = ("builder", "setup", "commands", "traffic", "widgets", "airgap")


def main(subjects: list[str]) -> int:
    """Measure these subjects; exit code 1 if a bound does not hold."""
    unknown = set(subjects) - set(SUBJECTS)
    if unknown:
        print(f"✗ no subject {', '.join(sorted(unknown))}; there are {', '.join(SUBJECTS)}")
        return 2
    holds = True
    for subject in subjects or SUBJECTS:
        print(f"── {subject}", flush=True)
        for row in importlib.import_module(f"tests.bench.{subject}").rows():
            # Kept one by one: a run that is stopped has not been for nothing.
            results.keep([row])
            fine = row.holds or not row.bound  # what has no bound is told, not judged
            mark = "✓" if fine else "✗"
            bound = f" (want {row.bound})" if row.bound else ""
            print(f"{mark} {row.name}: {row.figure}{bound}; {row.conditions}", flush=True)
            holds &= fine
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
