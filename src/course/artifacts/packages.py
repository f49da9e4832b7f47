"""Files out of package registries: npm, PyPI, Go modules, by their ordinary clients.

A source is one string: `npm:NAME@VERSION/PATH`, `pip:NAME==VERSION/PATH`,
`gomod:MODULE@VERSION/PATH`, or `go:FOLDER/COMMAND` for what `airgap/go/FOLDER` builds.
`{arch}` stands for amd64 or arm64, `{node_arch}` for npm's x64 or arm64, `{node_os}` for linux
or darwin.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from course.artifacts import debian, gobuild
from course.core import files, paths
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import Runner, default_runner
from course.core.report import Report

_WAIT = 600.0


def fill(source: str) -> str:
    """A source with this machine's processor in it."""
    names = {
        "{node_arch}": {"amd64": "x64", "arm64": "arm64"}[arch()],
        "{node_os}": platform.system().lower(),
        "{arch}": arch(),
    }
    for name, value in names.items():
        source = source.replace(name, value)
    return source


def entry(source: str) -> Path:
    """The entry of the cache that holds what a source names, whether it is there or not.

    Args:
        source: `npm:`, `pip:` or `go:`; Go keeps modules in a cache of its own.
    """
    kind, _, rest = fill(source).partition(":")
    if kind == "go":
        return _built(rest.split("/")[0])
    match = re.match(r"(?:@[^/]+/)?[^/]+", rest)
    return _folder(f"{kind}-{match[0] if match else rest}")


def resolve(source: str, report: Report, *, runner: Runner | None = None) -> Path:
    """The file or folder that a source names, fetched or built first where it is missing.

    Args:
        source: see the module's text.
        report: told what is being done.
        runner: runs the clients; the machine's own by default.

    Raises:
        CourseError: the source is not of a known form, or has no such file.
        CommandError: a client failed.
    """
    source = fill(source)
    match = re.fullmatch(
        r"(?:(npm):((?:@[^/]+/)?[^@/]+@[^/]+)|(pip):([^/]+==[^/]+)|(gomod):(\S+?@[^/]+)|(go):([^/]+))"
        r"(?:/(.*))?",
        source,
    )
    if not match:
        raise CourseError(f"`{source}` names no package", "npm:, pip:, gomod: or go:")
    kind, spec = next((match[i], match[i + 1]) for i in (1, 3, 5, 7) if match[i])
    inner = match[9] or ""
    runner = runner or default_runner()
    folder = {"npm": _npm, "pip": _pip, "gomod": _gomod, "go": _go}[kind](spec, report, runner)
    found = folder / inner
    if not found.exists():
        raise CourseError(f"{spec} has no {inner}", "the file that the catalogue names", "")
    return found


def _folder(name: str) -> Path:
    return paths.cache() / "packages" / re.sub(r"[^A-Za-z0-9@.=_-]", "_", name)


def _once(name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the cache, made whole or not at all."""
    dest = _folder(name)
    if not dest.exists():
        with files.atomic_folder(dest) as part:
            make(part)
    return dest


def _npm(spec: str, report: Report, runner: Runner) -> Path:
    report(f"npm package {spec}", None)
    npm = shutil.which("npm") or str(Path(sys.executable).with_name("npm"))

    def make(part: Path) -> None:
        argv: list[object] = [npm, "install", "--prefix", part, "--no-save", "--ignore-scripts"]
        # --force: the package may be for another system than this one (a container's).
        argv += ["--no-package-lock", "--no-audit", "--no-fund", "--force", spec]
        runner.run(argv, timeout=_WAIT)

    return _once(f"npm-{spec}", make) / "node_modules" / spec.rsplit("@", 1)[0]


def _pip(spec: str, report: Report, runner: Runner) -> Path:
    report(f"PyPI package {spec}", None)

    def make(part: Path) -> None:
        uv = Path(sys.executable).with_name("uv")
        runner.run([uv, "pip", "install", "--no-deps", "--target", part, spec], timeout=_WAIT)

    return _once(f"pip-{spec}", make)


def _gomod(spec: str, report: Report, runner: Runner) -> Path:
    report(f"Go module {spec}", None)
    env = {**gobuild.environment(_go_cache()), "GOFLAGS": "-mod=mod"}
    go = gobuild.go_toolchain(paths.cache() / "packages", runner=runner)
    out = runner.run([go, "mod", "download", "-json", spec], timeout=_WAIT, env=env, cwd=_empty())
    return Path(json.loads(out.stdout)["Dir"])


def _empty() -> Path:
    """A folder without a go.mod, so that `go mod download` takes the version it is given."""
    folder = paths.cache() / "empty"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _go_cache() -> Path:
    return paths.cache() / "go"


def missing_seconds(sources: Iterable[str]) -> float:
    """How long the Go modules take, roughly, that these sources need and that are not built yet."""
    modules = {s.removeprefix("go:").split("/")[0] for s in sources if s.startswith("go:")}
    costs = (gobuild.tools()[m]["cost"]["seconds"] for m in modules if not _built(m).exists())
    return float(sum(costs))


def _built(module: str) -> Path:
    return paths.cache() / "tools" / f"{module}-{gobuild.key(module, arch())}"


def _go(module: str, report: Report, runner: Runner) -> Path:
    dest = _built(module)
    if not dest.exists():
        if os.name != "posix" or platform.system() != "Linux":
            raise CourseError(
                f"{module} is built from source on Linux only", "Linux", "a machine with internet"
            )
        if gobuild.tools()[module].get("cgo"):
            debian.assemble(report, runner=runner)
        go = gobuild.go_toolchain(paths.cache() / "packages", runner=runner)

        def line(text: str) -> None:
            report(f"building {module}: {text}", None)

        gobuild.build(
            module, dest, arch=arch(), go=go, cache=_go_cache(), on_line=line, runner=runner
        )
    return dest
