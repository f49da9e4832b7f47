"""Traefik: the cluster's Gateway API and Ingress controller."""

from __future__ import annotations

from pathlib import Path

from course.artifacts import images
from course.artifacts.gateway_api import GATEWAY_API, definitions
from course.core.names import SYSTEM_NAMESPACE
from course.core.report import Report
from course.engine.addons.addon import Addon, mirrored
from course.engine.base import Cluster

IMAGE = "traefik:v3.7.13"


def _prepare(cluster: Cluster, report: Report) -> dict[str, str]:
    images.ensure(IMAGE, report, runner=cluster.runner)
    report("its image to the registry", None)
    reference = mirrored(IMAGE, cluster)
    report("Gateway API definitions", None)
    crds = definitions(report, cluster.runner)
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crds))
    cluster.kubectl("create", "namespace", SYSTEM_NAMESPACE, check=False)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    return {IMAGE: reference}


ADDON = Addon(
    "gateway",
    manifests=(Path(__file__).with_suffix(".yaml"),),
    deployments=("traefik",),
    made_from=lambda: (images.key(IMAGE), GATEWAY_API),
    prepare=_prepare,
    namespace=SYSTEM_NAMESPACE,
)
