"""The Gateway API's definitions: their file, and where it comes from."""

from __future__ import annotations

import hashlib
from pathlib import Path

from course.artifacts import fetch, packages, tools
from course.core import files, paths
from course.core.errors import CourseError
from course.core.process import Runner
from course.core.report import Report

_DEFINITIONS = tools.RELEASES["gateway-api"]
GATEWAY_API = _DEFINITIONS.version


def crds_file() -> Path:
    """Where the Gateway API's definitions are kept."""
    return paths.cache() / "downloads" / f"gateway-api-{GATEWAY_API}.yaml"


def definitions(report: Report, runner: Runner) -> Path:
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
    content = standard(packages.resolve(module, report, runner=runner))
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
