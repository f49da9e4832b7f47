"""Everything that `course up` needs, in one file: for a machine that reaches no registry.

A bundle is a tar: `manifest.json` first, then one part for each tool, package, download and
image. Each part's checksum is in the manifest and is verified before anything is used.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from pathlib import Path

from course import fetch, images, packages, paths
from course.errors import CourseError
from course.run import Runner, runner
from course.steps import Report

_KINDS = ("tools", "packages", "downloads")
_FORMAT = 1


def save(dest: Path, report: Report, *, using: Runner | None = None) -> Path:
    """Write what the cache and Docker hold into one file.

    Args:
        dest: the file to write; it appears whole or not at all.
        report: told what is being packed.
        using: runs docker.

    Returns:
        `dest`.

    Raises:
        CourseError: an image is missing, since `course up` has not ended.
    """
    using = using or runner()
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=images.scratch()) as temporary:
        folder = Path(temporary)
        parts = _parts(folder, report, using)
        manifest = {
            "format": _FORMAT,
            "arch": packages.arch(),
            "parts": {
                name: {"sha256": fetch.digest(file), "bytes": file.stat().st_size}
                for name, file in parts.items()
            },
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
        part = dest.with_name(dest.name + ".part")
        with tarfile.open(part, "w") as tar:
            tar.add(folder / "manifest.json", "manifest.json")
            for name, file in parts.items():
                report(f"packing {name}", None)
                tar.add(file, name)
        part.replace(dest)
    return dest


def _parts(folder: Path, report: Report, using: Runner) -> dict[str, Path]:
    parts: dict[str, Path] = {}
    for kind in _KINDS:
        for entry in sorted((paths.cache() / kind).glob("[!.]*")):
            if entry.name.endswith(".part"):
                continue
            name = f"{kind}/{entry.name}.tar"
            parts[name] = folder / f"{len(parts)}.tar"
            report(f"reading {name}", None)
            with tarfile.open(parts[name], "w") as tar:
                tar.add(entry, entry.name)
    for ref in images.catalogue():
        name = f"images/{images.archive(ref).name}"
        parts[name] = folder / f"{len(parts)}.tar"
        report(f"reading {ref}", None)
        using.run(
            ["docker", "save", "--output", parts[name], ref],
            timeout=600,
            try_="course up, then again",
        )
    return parts


def load(source: Path, report: Report) -> int:
    """Put a bundle's parts where `course up` finds them.

    Args:
        source: the file.
        report: told what is being unpacked.

    Returns:
        How many parts were new here.

    Raises:
        CourseError: it is no bundle, of another processor, cut off or damaged; the part that is
            wrong is named, and nothing of it is used.
    """
    if not source.exists():
        raise CourseError(
            f"{source} is not there", "a bundle", "course bundle save FILE   elsewhere"
        )
    try:
        with tarfile.open(source) as tar:
            manifest = _manifest(tar, source)
            return sum(_unpack(tar, name, facts, report) for name, facts in manifest.items())
    except tarfile.ReadError as error:
        raise CourseError(
            f"{source} is no whole bundle: {error}", "a whole file", "copy it again"
        ) from None


def _manifest(tar: tarfile.TarFile, source: Path) -> dict[str, dict[str, str]]:
    try:
        file = tar.extractfile("manifest.json")
        found = json.load(file) if file else {}
        if found["format"] != _FORMAT or found["arch"] != packages.arch():
            raise CourseError(
                f"{source} is for {found['arch']}, format {found['format']}",
                f"{packages.arch()}, format {_FORMAT}",
                "a bundle that was saved on a machine like this one",
            )
        return dict(found["parts"])
    except (KeyError, ValueError):
        raise CourseError(
            f"{source} has no manifest", "a bundle", "course bundle save FILE"
        ) from None


def _unpack(tar: tarfile.TarFile, name: str, facts: dict[str, str], report: Report) -> bool:
    kind, file = name.split("/", 1)
    folder = paths.cache() / kind
    dest = folder / (file if kind == "images" else file.removesuffix(".tar"))
    if dest.exists():
        return False
    report(f"unpacking {name}", None)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as temporary:
        part = Path(temporary) / "part.tar"
        _copy(tar, name, part, facts["sha256"])
        if kind == "images":
            part.replace(dest)
        else:
            fetch.extract(part, Path(temporary))
            (Path(temporary) / dest.name).replace(dest)
    return True


def _copy(tar: tarfile.TarFile, name: str, dest: Path, sha256: str) -> None:
    seen = hashlib.sha256()
    try:
        member = tar.extractfile(name)
        with dest.open("wb") as sink:
            while chunk := member.read(1 << 20) if member else b"":
                seen.update(chunk)
                sink.write(chunk)
    except (KeyError, tarfile.ReadError):
        raise CourseError(
            f"the bundle has no whole part {name}", "every part", "copy it again"
        ) from None
    if seen.hexdigest() != sha256:
        raise CourseError(
            f"the bundle's part {name} is damaged: sha256 {seen.hexdigest()[:12]}…",
            f"sha256 {sha256[:12]}…",
            "copy the bundle again",
        )
