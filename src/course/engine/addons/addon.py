"""What an add-on is, and how one reaches a cluster, the same for all of them.

`course up` has to say at once that there is nothing to do, so what an add-on was made from is
recorded in a file, by its fingerprint, when it is ready: no call to the cluster tells it faster.
An add-on with another fingerprint is applied again; so is every one as soon as something does not
answer, whatever the file says. Applying is server-side and forced: it puts back each field that a
manifest names, and changes nothing that is right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from course.core import files, paths
from course.core.report import Report
from course.engine.base import Cluster
from course.measure.registry_client import Repository

FINGERPRINT = "FINGERPRINT"
"""Stands in a manifest where its pods have to be replaced when anything of the add-on changes."""
_ROLLOUT_WAIT = 180.0


@dataclass(frozen=True)
class Addon:
    """Something that runs in the cluster beside the lessons.

    Args:
        name: a short word, stable.
        manifests: its files, in the order in which they are applied.
        deployments: what has to be ready.
        made_from: what else it is made from, beside its manifests: versions, keys of images.
        prepare: puts into the registry and the cluster what the manifests need.

            Returns each image as the manifests name it, and as the cluster is to pull it.
        namespace: of its objects; the kubeconfig's own by default.
        answers: returns when it does what it is for, or raises a `CourseError`.
    """

    name: str
    manifests: tuple[Path, ...]
    deployments: tuple[str, ...]
    made_from: Callable[[], Iterable[str]]
    prepare: Callable[[Cluster, Report], Mapping[str, str]]
    namespace: str = ""
    answers: Callable[[Cluster], None] = lambda _: None

    def fingerprint(self) -> str:
        """A short hash over everything that it is made from."""
        return hashed([*(file.read_text() for file in self.manifests), *self.made_from()])

    def install(self, cluster: Cluster, report: Report) -> None:
        """Make it run as this version of the course wants it.

        Args:
            cluster: where to.
            report: told what is being done.

        Raises:
            CourseError: it is not ready in time.
        """
        fingerprint = self.fingerprint()
        references = self.prepare(cluster, report)
        report("its objects", None)
        for file in self.manifests:
            text = file.read_text().replace(FINGERPRINT, fingerprint)
            for name, reference in references.items():
                text = text.replace(f"image: {name}", f"image: {reference}")
            cluster.apply(text, self.namespace)
        report("waiting for it to be ready", None)
        where = ("-n", self.namespace) if self.namespace else ()
        for name in self.deployments:
            limit = f"--timeout={_ROLLOUT_WAIT:.0f}s"
            cluster.kubectl(
                *where, "rollout", "status", f"deployment/{name}", limit, wait=_ROLLOUT_WAIT + 10
            )
        self.answers(cluster)
        record({self.name: fingerprint})


def mirrored(ref: str, cluster: Cluster) -> str:
    """Push an image of Docker Hub's name to the registry, and name it as the cluster pulls it."""
    cluster.registry.mirror(ref)
    return pinned(ref, ref if "/" in ref else f"library/{ref}", cluster)


def pinned(ref: str, pushed: str, cluster: Cluster) -> str:
    """An image named by its digest as well: another one under its tag then reaches a node too.

    Args:
        ref: its name.
        pushed: its name in the registry, with the tag, without the registry's address.
        cluster: whose registry.
    """
    name, tag = pushed.rsplit(":", 1)
    return f"{ref}@{Repository(cluster.registry.address, name).digest(tag)}"


def hashed(parts: Iterable[str]) -> str:
    """A short hash over texts."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def _file() -> Path:
    return paths.state() / "applied.json"


def applied() -> dict[str, str]:
    """Name → fingerprint of what the cluster got last."""
    try:
        return dict(json.loads(_file().read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return {}


def record(fingerprints: Mapping[str, str]) -> None:
    """Note what the cluster has got now."""
    known = applied() | dict(fingerprints)
    files.atomic_write(_file(), json.dumps(known, indent=1, sort_keys=True))


def forget() -> None:
    """Note that there is no cluster, or a new one."""
    _file().unlink(missing_ok=True)
