"""Traefik: the cluster's Gateway API and Ingress controller."""

from __future__ import annotations

from pathlib import Path

from course import fetch, images, packages, paths
from course.addons.addon import Addon, mirrored
from course.engines import base
from course.engines.kind import Kind
from course.steps import Report

IMAGE = "traefik:v3.7.13"
GATEWAY_API = "v1.6.3"
_CRDS_URL = (
    "https://github.com/kubernetes-sigs/gateway-api/releases/download/"
    f"{GATEWAY_API}/standard-install.yaml"
)


def _prepare(cluster: Kind, report: Report) -> dict[str, str]:
    images.ensure(IMAGE, report, using=cluster.using)
    report("its image to the registry", None)
    reference = mirrored(IMAGE, cluster)
    report("Gateway API definitions", None)
    crds = _crds(report, cluster)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crds))
    cluster.kubectl("create", "namespace", base.SYSTEM, check=False)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    return {IMAGE: reference}


ADDON = Addon(
    "gateway",
    manifests=(Path(__file__).with_suffix(".yaml"),),
    deployments=("traefik",),
    made_from=lambda: (images.key(IMAGE), GATEWAY_API),
    prepare=_prepare,
    namespace=base.SYSTEM,
)


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
