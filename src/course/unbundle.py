"""Read a bundle, with nothing but Python's own library: there may be no environment yet.

A bundle is a tar: `manifest.json` first, then the parts. Each part's checksum is in the manifest
and is verified before anything of the part is used.

    PYTHONPATH=src python3 -m course.unbundle FILE

makes the Python environment `.venv` out of a bundle; `course bundle load FILE` does the rest.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course import archives, paths
from course.errors import CourseError
from course.run import Runner, runner

FORMAT = 2
PYTHON = "python"
"""The kind of the part that holds the Python packages and uv."""
_AGAIN = "copy the bundle again; course bundle save FILE on the machine that it is from"
_WAIT = 600.0


@dataclass(frozen=True)
class Bundle:
    """An open bundle.

    Args:
        file: where it lies.
        manifest: what it says of itself.
        tar: its parts.
        seen: the parts that were passed in it so far.
    """

    file: Path
    manifest: Mapping[str, Any]
    tar: tarfile.TarFile
    seen: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    @property
    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        """Name of each part → its checksum and size."""
        parts: Mapping[str, Mapping[str, Any]] = self.manifest["parts"]
        return parts

    def unpack(self, name: str) -> bool:
        """Put one part where it belongs in the cache.

        Args:
            name: `KIND/ENTRY.tgz` is a packed entry of the cache, `images/NAME.tar` an archive
                for `docker load`, kept with its checksum beside it.

        Returns:
            Whether it was new here.

        Raises:
            CourseError: it is damaged or cut off; nothing of it is used.
        """
        kind, entry = name.split("/", 1)
        folder = paths.cache() / kind
        dest = folder / entry.removesuffix(".tgz")
        if dest.exists():
            return False
        folder.mkdir(parents=True, exist_ok=True)
        sha256 = self.parts[name]["sha256"]
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as temporary:
            part = Path(temporary) / "part"
            self._copy(name, part, sha256)
            if entry.endswith(".tgz"):
                whole = Path(temporary) / "whole"
                archives.extract(part, whole, only=dest.name)
                (whole / dest.name).replace(dest)
            else:
                checksum(dest).write_text(sha256)
                part.replace(dest)
        return True

    def _member(self, name: str) -> tarfile.TarInfo:
        # Not tarfile's own way, which reads to the end of the file first: where that is cut off,
        # the part that is cut off is the one to name.
        while name not in self.seen and (member := self.tar.next()) is not None:
            self.seen[member.name] = member
        return self.seen[name]

    def _copy(self, name: str, dest: Path, sha256: str) -> None:
        seen = hashlib.sha256()
        try:
            member = self.tar.extractfile(self._member(name))
            with dest.open("wb") as sink:
                while chunk := member.read(1 << 20) if member else b"":
                    seen.update(chunk)
                    sink.write(chunk)
        except (KeyError, tarfile.ReadError):
            raise CourseError(
                f"the bundle {self.file} has no whole part {name}", "every part", _AGAIN
            ) from None
        if seen.hexdigest() != sha256:
            raise CourseError(
                f"the bundle's part {name} is damaged: sha256 {seen.hexdigest()[:12]}…",
                f"sha256 {sha256[:12]}…",
                _AGAIN,
            )


@contextmanager
def opened(file: Path) -> Iterator[Bundle]:
    """A bundle that is for this machine.

    Args:
        file: where it lies.

    Raises:
        CourseError: it is no bundle, cut off, or of another kind of machine.
    """
    if not file.is_file():
        raise CourseError(f"{file} is not there", "a bundle", "course bundle save FILE   elsewhere")
    try:
        with tarfile.open(file, "r:") as tar:
            yield Bundle(file, _manifest(tar, file), tar)
    except tarfile.ReadError as error:
        raise CourseError(f"{file} is no whole bundle: {error}", "a whole file", _AGAIN) from None


def _manifest(tar: tarfile.TarFile, file: Path) -> dict[str, Any]:
    try:
        # The first member: a bundle that is cut off still tells what it is.
        first = tar.next()
        member = tar.extractfile(first) if first and first.name == "manifest.json" else None
        found: dict[str, Any] = json.load(member) if member else {}
        form, made_for, _ = found["format"], found["machine"], found["parts"]
    except (KeyError, ValueError, TypeError):
        raise CourseError(f"{file} has no manifest", "a bundle", _AGAIN) from None
    if (form, made_for) != (FORMAT, machine()):
        raise CourseError(
            f"{file} is for {made_for}, format {form}",
            f"{machine()}, format {FORMAT}",
            "a bundle that was saved on a machine like this one",
        )
    return found


def machine() -> str:
    """What a bundle's programs run on, e.g. `linux x86_64`."""
    names = {"amd64": "x86_64", "arm64": "aarch64"}
    processor = platform.machine().lower()
    return f"{platform.system().lower()} {names.get(processor, processor)}"


def checksum(archive: Path) -> Path:
    """The file beside an image's archive that holds its checksum."""
    return archive.with_name(archive.name + ".sha256")


def python_key() -> str:
    """A short hash over everything that says which Python packages the course needs."""
    sha = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        sha.update((paths.ROOT / name).read_bytes())
    return sha.hexdigest()[:16]


def environment(file: Path, *, using: Runner | None = None) -> None:
    """Make `.venv` from the Python packages in a bundle; no index is asked.

    Args:
        file: the bundle.
        using: runs uv.

    Raises:
        CourseError: it has none for this version of the course, or for this Python.
    """
    using = using or runner()
    name = f"{PYTHON}/{python_key()}.tgz"
    with opened(file) as bundle:
        if name not in bundle.parts:
            raise CourseError(
                f"{file} has no part {name}: its Python packages are of another version",
                "the packages of uv.lock",
                "the clone at the version of the bundle: git checkout "
                + str(bundle.manifest.get("commit", "")),
            )
        pythons = bundle.manifest["pythons"]
        ours = ".".join(platform.python_version_tuple()[:2])
        if ours not in pythons:
            raise CourseError(
                f"python3 is {ours}; {file} has packages for {', '.join(pythons)}",
                "one of them",
                f"install python{pythons[-1]} and put it first on PATH",
            )
        bundle.unpack(name)
    wheels = paths.cache() / PYTHON / python_key()
    uv = _uv(wheels)
    local = ["--offline", "--no-index", "--find-links", wheels, "--quiet"]
    venv = paths.ROOT / ".venv"
    install: list[object] = [uv, "pip", "install", "--python", venv, *local]
    using.run([uv, "venv", "--allow-existing", "--quiet", "--python", sys.executable, venv],
              timeout=_WAIT)  # fmt: skip
    using.run(
        [*install, "--require-hashes", "--requirement", wheels / "requirements.txt"],
        timeout=_WAIT,
    )
    using.run([*install, "--no-deps", "--editable", paths.ROOT], timeout=_WAIT)


def _uv(wheels: Path) -> Path:
    """The `uv` of the bundle, where the Makefile looks for it."""
    uv = paths.cache() / "uv" / "bin" / "uv"
    if not uv.exists():
        wheel = next(wheels.glob("uv-*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/scripts/uv"))
            uv.parent.mkdir(parents=True, exist_ok=True)
            part = uv.with_suffix(".part")
            with archive.open(name) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        part.chmod(0o755)
        part.replace(uv)
    return uv


def main() -> None:
    """Make the environment, or say what is wrong."""
    try:
        environment(Path(sys.argv[1]))
    except CourseError as error:
        print(f"✗ make start BUNDLE={sys.argv[1]}", file=sys.stderr)
        sys.exit("  " + str(error).replace("\n", "\n  "))


if __name__ == "__main__":
    main()
