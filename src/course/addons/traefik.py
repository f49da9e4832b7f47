"""Traefik: the cluster's Gateway API and Ingress controller."""

from __future__ import annotations

import hashlib
from pathlib import Path

from course import fetch, files, images, packages, paths, tools
from course.addons.addon import Addon, mirrored
from course.engines import base
from course.engines.kind import Kind
from course.errors import CourseError
from course.steps import Report

IMAGE = "traefik:v3.7.13"
_DEFINITIONS = tools.RELEASES["gateway-api"]
GATEWAY_API = _DEFINITIONS.version


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
    """The standard channel's definitions: the release, or the same bytes out of the Go module."""
    kept = crds_file()
    if kept.exists():
        return kept
    sha256 = _DEFINITIONS.expected()
    try:
        return fetch.download(_DEFINITIONS.address(), kept, sha256=sha256, report=report)
    except fetch.UnreachableError as error:
        report(f"{error.saw}: the definitions out of the Go module", None)
    module = f"gomod:sigs.k8s.io/gateway-api@{GATEWAY_API}"
    content = standard(packages.resolve(module, report, using=cluster.using))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CourseError(f"{module} makes other definitions", f"sha256 {sha256[:16]}…", "")
    return files.atomic_write(kept, content)


def standard(module: Path) -> bytes:
    """What the publisher's own `hack/build-install-yaml.sh` makes of the module."""
    head = (module / "hack" / "boilerplate" / "boilerplate.sh.txt").read_text()
    parts = [f"{head}#\n# Gateway API Standard channel install\n#\n"]
    for file in sorted((module / "config" / "crd" / "standard").glob("gateway*.yaml")):
        parts.append(f"---\n#\n# {file.relative_to(module)}\n#\n{file.read_text()}")
    return "".join(parts).encode()
