"""What is wrong with an app in the cluster. It only reads."""

from __future__ import annotations

from course.core import environment
from course.core.errors import CourseError
from course.core.names import CLUSTER
from course.measure import chain
from course.measure.chain import Chain


def app(namespace: str = "") -> tuple[str, bool]:
    """Name the first broken link of the chain of objects that a request passes.

    Args:
        namespace: any of the course's cluster; the learner's own by default.

    Returns:
        What is said of it, and whether no link is broken.

    Raises:
        CourseError: no cluster runs, its API does not answer, or it has no such namespace.
    """
    if not environment.has(CLUSTER):
        raise CourseError("no cluster is running", "a running one", "course up")
    seen = chain.read(namespace)
    found = chain.broken(seen)
    said = f"✗ {found}" if found else f"✓ namespace {seen.namespace}: {_looked_at(seen)}"
    return "\n".join([said, *_unread(seen)]), found is None


def _looked_at(seen: Chain) -> str:
    counted = [
        f"{len(seen.all(kind))} {kind}" for kind in ("httproutes", "ingresses", "services", "pods")
    ]
    return f"no link is broken ({', '.join(counted)})"


def _unread(seen: Chain) -> list[str]:
    """What may not be read, with the first reason: nothing was said of it."""
    kinds = [
        f"{kind} of other namespaces" if seen.knows(kind) else kind for kind in sorted(seen.unread)
    ]
    why = next(iter(seen.unread.values()), "")
    return [f"· nothing is said of {', '.join(kinds)}: {why}"] if kinds else []
