"""Everything that `make start` needs, in one file: for a machine that reaches no registry.

What a bundle looks like and how it is verified is in `unbundle`, which needs no environment.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from course.artifacts import (
    debian,
    docker_build,
    fetch,
    gateway_api,
    images,
    orders_image,
    packages,
    tools,
    unbundle,
)
from course.core import files, paths
from course.core.errors import CourseError
from course.core.process import Runner, default_runner
from course.core.report import Report

PYTHONS = ("3.11.2", "3.11.9", "3.12.3", "3.13.5", "3.14.2")
"""Versions that the Python packages are for; the lock differs below 3.11.5."""
_WAIT = 900.0


@dataclass(frozen=True)
class Loaded:
    """What came of loading a bundle.

    Args:
        new: parts that were not here before.
        unused: parts that this version of the course does not use.
        lacking: what it needs and the bundle does not hold.
    """

    new: int
    unused: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()


def save(dest: Path, report: Report, *, runner: Runner | None = None) -> Path:
    """Write what another machine needs into one file.

    Args:
        dest: the file to write; it appears whole or not at all.
        report: told what is being packed.
        runner: runs docker, uv and apt-get.

    Returns:
        `dest`.

    Raises:
        CourseError: the file is there and is no bundle; an image is missing, since `course up`
            has not ended; or a package registry that the Python or Debian packages come from does
            not answer.
    """
    runner = runner or default_runner()
    if dest.exists() and not _is_bundle(dest):
        raise CourseError(f"{dest} is there and is no bundle", "a new file", "another name")
    if not os.access(dest.parent, os.W_OK | os.X_OK):
        raise CourseError(f"nothing can be written into {dest.parent}", "a folder", "another name")
    _wheels(report, runner)
    if debian.is_root_on_debian():
        debian.fetch(report, runner=runner)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=docker_build.scratch()) as temporary:
        folder = Path(temporary)
        parts = _parts(folder, report, runner)
        manifest = {
            "format": unbundle.FORMAT,
            "machine": unbundle.machine(),
            "commit": _commit(runner),
            "pythons": sorted({v.rsplit(".", 1)[0] for v in PYTHONS}, key=_number),
            "parts": {
                name: {"sha256": fetch.digest(file), "bytes": file.stat().st_size}
                for name, file in parts.items()
            },
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
        part = dest.with_name(dest.name + ".part")
        try:
            # In a folder for everybody, as /tmp is, somebody may have put a file of that name
            # there, and would own the bundle.
            part.unlink(missing_ok=True)
            with tarfile.open(part, "x") as tar:
                tar.add(folder / "manifest.json", "manifest.json")
                for name, file in parts.items():
                    report(f"packing {name}", None)
                    tar.add(file, name)
                    file.unlink()
            part.replace(dest)
        finally:
            part.unlink(missing_ok=True)
    return dest


def _is_bundle(file: Path) -> bool:
    """Whether a file is a bundle of any machine, or the beginning of one."""
    try:
        with tarfile.open(file, "r:") as tar:
            first = tar.next()
            return first is not None and first.name == "manifest.json"
    except (OSError, tarfile.TarError):
        return False


def load(source: Path, report: Report, sha256: str = "") -> Loaded:
    """Put a bundle's parts where `course up` finds them.

    Args:
        source: the file.
        report: told what is being unpacked.
        sha256: its checksum, see `unbundle.opened`.

    Returns:
        What is new, what is not used, and what is lacking.

    Raises:
        CourseError: it is no bundle, of another kind of machine, cut off or damaged, or root did
            not say which it is; the part that is wrong is named, and nothing of it is used.
    """
    wanted = {_name(file) for need in needs() for files in need.places for file in files}
    new, unused = 0, []
    with unbundle.opened(source, sha256) as bundle:
        for name in bundle.parts:
            if name not in wanted:
                unused.append(name)
                continue
            report(f"verifying and unpacking {name}", None)
            new += bundle.unpack(name)
    return Loaded(new, tuple(unused), tuple(n.what for n in needs() if not n.files()))


@dataclass(frozen=True)
class Need:
    """Something that `make start` needs.

    Args:
        what: what it is, for people.
        places: the entries of the cache that give it, the first complete set of them counts.
    """

    what: str
    places: tuple[tuple[Path, ...], ...]

    def files(self) -> tuple[Path, ...]:
        """The entries that are there, or none."""
        return next((p for p in self.places if all(file.exists() for file in p)), ())


def needs() -> list[Need]:
    """Everything that `make start` and the first lesson need beside the clone."""
    found = [Need("the Python packages", ((_wheelhouse(),),))]
    if debian.is_root_on_debian():
        found.append(Need(f"Debian packages for {debian.release()}", ((debian.pool(),),)))
    found += [Need(f"the tool {name}", tools.places(name)) for name in tools.CATALOGUE]
    found += [
        Need(f"the runtime {name}", ((packages.entry(source),),))
        for name, source in tools.NODES.items()
    ]
    found.append(Need("the Gateway API's definitions", ((gateway_api.crds_file(),),)))
    found += [Need(f"the image {ref}", ((images.archive(ref),),)) for ref in images.catalogue()]
    found.append(Need("the image of orders", ((orders_image.archive(),),)))
    return found


def _name(file: Path) -> str:
    """The name of the part that holds an entry of the cache."""
    name = file.relative_to(paths.cache()).as_posix()
    return name if name.startswith("images/") else f"{name}.tgz"


def _parts(folder: Path, report: Report, runner: Runner) -> dict[str, Path]:
    parts: dict[str, Path] = {}
    for need in needs():
        if not need.files() and not _name(need.places[0][0]).startswith("images/"):
            report(f"left out, since this machine has none: {need.what}", None)
        for entry in need.files():
            name = _name(entry)
            if name in parts or name.startswith("images/"):
                continue
            parts[name] = folder / f"{len(parts)}.tgz"
            report(f"reading {name}", None)
            with tarfile.open(parts[name], "w:gz", compresslevel=1) as tar:
                tar.add(entry, entry.name)
    for ref, archive in _images(runner):
        name = _name(archive)
        parts[name] = folder / archive.name
        report(f"reading {ref}", None)
        runner.run(
            ["docker", "save", "--output", parts[name], ref],
            timeout=_WAIT,
            try_="course up, then again",
        )
    return parts


def _images(runner: Runner) -> Iterator[tuple[str, Path]]:
    for ref in images.catalogue():
        yield ref, images.archive(ref)
    listed = runner.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}"], timeout=60
    ).stdout.split()
    built = [ref for ref in listed if ref.endswith(f"/orders:{orders_image.VERSION}")]
    if not built:
        raise CourseError("Docker has no image of orders", "one", "course up, then again")
    yield built[0], orders_image.archive()


def _commit(runner: Runner) -> str:
    argv = ["git", "-C", paths.ROOT, "rev-parse", "--short", "HEAD"]
    return runner.run(argv, timeout=30, check=False).stdout.strip()


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in version.split("."))


def _wheelhouse() -> Path:
    return paths.cache() / unbundle.PYTHON / unbundle.python_key()


def _wheels(report: Report, runner: Runner) -> None:
    """The locked Python packages as wheels, for each of `PYTHONS`; by pip, from its index."""
    dest = _wheelhouse()
    if dest.exists():
        return
    uv = Path(sys.executable).with_name("uv")
    exported = runner.run([uv, *unbundle.EXPORT], timeout=60, cwd=paths.ROOT).stdout
    with files.atomic_folder(dest) as part:
        pip: list[object] = [uv, "tool", "run", "--quiet", "pip", "download", "--quiet"]
        pip += ["--dest", part, "--only-binary", ":all:"]
        for version in PYTHONS:
            report(f"Python packages for {version}", None)
            chosen = part.parent / "chosen.txt"
            chosen.write_text("".join(_chosen(exported, version)))
            minor = ["--python-version", version]
            runner.run([*pip, *minor, "--no-deps", "--require-hashes", "--requirement", chosen],
                      timeout=_WAIT, try_="is PyPI, or its mirror, in reach?")  # fmt: skip


def _chosen(exported: str, version: str) -> Iterator[str]:
    """The lines of the export that hold for a version of Python, without their conditions.

    pip would judge the conditions by the Python that runs it.
    """
    environment = {
        **{name: str(value) for name, value in default_environment().items()},
        "python_full_version": version,
        "python_version": version.rsplit(".", 1)[0],
    }
    for entry in exported.replace("\\\n", " ").splitlines():
        words, _, hashes = entry.partition(" --hash=")
        requirement = Requirement(words.strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield f"{requirement.name}{requirement.specifier} --hash={hashes}\n"
