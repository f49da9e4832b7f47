"""Traefik: the cluster's Gateway API and Ingress controller."""

from __future__ import annotations

from pathlib import Path

from course import fetch, images, packages, paths
from course.engines import base
from course.engines.kind import Kind
from course.steps import Report

IMAGE = "traefik:v3.7.13"
GATEWAY_API = "v1.6.3"
_CRDS_URL = (
    "https://github.com/kubernetes-sigs/gateway-api/releases/download/"
    f"{GATEWAY_API}/standard-install.yaml"
)
_MANIFEST = Path(__file__).with_suffix(".yaml")


def install(cluster: Kind, report: Report) -> None:
    """Install it, or change nothing if it runs.

    Args:
        cluster: where to.
        report: told what is being done.

    Raises:
        CourseError: it is not ready in time.
    """
    images.ensure(IMAGE, report, using=cluster.using)
    if not _present(cluster):
        report("pushing its image to the registry", None)
        cluster.registry.mirror(IMAGE)
        report("Gateway API definitions", None)
        crds = _crds(report, cluster)
        cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crds))
        cluster.kubectl("create", "namespace", base.SYSTEM, check=False)
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-n", base.SYSTEM, "-f", str(_MANIFEST)
        )
    report("waiting for it to be ready", None)
    cluster.kubectl(
        "-n", base.SYSTEM, "rollout", "status", "deployment/traefik", "--timeout=120s", wait=130
    )


def remove(cluster: Kind) -> None:
    """Remove it; the Gateway API definitions stay."""
    cluster.kubectl("delete", "namespace", base.SYSTEM, "--wait=false", check=False)


def _present(cluster: Kind) -> bool:
    seen = cluster.kubectl(
        "-n", base.SYSTEM, "get", "gateway/course", "deployment/traefik", "-o", "name", check=False
    )
    return len(seen.split()) == 2


def crds_file() -> Path:
    """Where the Gateway API's definitions are kept."""
    return paths.cache() / "downloads" / f"gateway-api-{GATEWAY_API}.yaml"


def _crds(report: Report, cluster: Kind) -> Path:
    """The standard channel's definitions: the release, or the same out of the Go module."""
    kept = crds_file()
    if kept.exists():
        return kept
    if fetch.reachable("github.com"):
        return fetch.download(_CRDS_URL, kept, report=report)
    source = f"gomod:sigs.k8s.io/gateway-api@{GATEWAY_API}/config/crd/standard"
    folder = packages.resolve(source, report, using=cluster.using)
    text = "\n---\n".join(
        file.read_text()
        for file in sorted(folder.glob("*.yaml"))
        if file.name != "kustomization.yaml"
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_suffix(".part")
    part.write_text(text)
    return part.replace(kept)
