"""Read a bundle, with nothing but Python's own library: there may be no environment yet.

A bundle is a tar: `manifest.json` first, then the parts. Each part's checksum is in the manifest
and is verified before anything of the part is used. That says that a part is whole, not whose it
is. Python packages are compared with `uv.lock`, Debian's with Debian's signature (`debian`). For
the rest the bundle's own SHA-256 stands, which root has to give.

    PYTHONPATH=src python3 -m course.artifacts.unbundle FILE [SHA256]

makes the Python environment `.venv` out of a bundle; `course bundle load FILE` does the rest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import sys
import tarfile
import tempfile
import tomllib
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from course.artifacts import archives
from course.core import files, paths, private
from course.core.errors import CourseError, from_os_error
from course.core.process import Runner, default_runner

FORMAT = 3
PYTHON = "python"
"""The kind of the part that holds the Python packages and uv."""
_AGAIN = "copy the bundle again; course bundle save FILE on the machine that it is from"
_WAIT = 600.0
_HEAD = 2 << 20
"""Bytes that hold the manifest, which is the first member, with its header."""
_TYPED = 16
"""Characters of the checksum that are enough where it is typed: nobody makes a file to fit 64 bits
of it."""
_PART = re.compile(
    r"(?:(?:python|debian|tools|packages|downloads)/[A-Za-z0-9@_][A-Za-z0-9@.=_+-]*\.tgz"
    r"|images/[A-Za-z0-9_][A-Za-z0-9_.+-]*\.tar)"
)
_MANIFEST: Mapping[str, Callable[[Any], object]] = {
    "format": lambda value: type(value) is int,
    "machine": lambda value: re.fullmatch(r"[a-z0-9_]{1,20} [a-z0-9_]{1,20}", value),
    "commit": lambda value: re.fullmatch(r"[0-9a-f]{0,40}", value),
    "pythons": lambda value: all(re.fullmatch(r"\d\.\d{1,3}", v) for v in value) and value,
    "parts": lambda value: all(
        _PART.fullmatch(name)
        and re.fullmatch(r"[0-9a-f]{64}", facts["sha256"])
        and type(facts["bytes"]) is int
        for name, facts in value.items()
    ),
}
"""What the manifest may say: it is shown, and names what is written."""


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
        with tempfile.TemporaryDirectory(prefix=".part-", dir=folder) as temporary:
            part = Path(temporary) / "part"
            sha256 = self._copy(name, part)
            if entry.endswith(".tgz"):
                whole = Path(temporary) / "whole"
                archives.extract(part, whole, only=dest.name)
                if kind == PYTHON:
                    _locked(whole / dest.name)
                (whole / dest.name).replace(dest)
            else:
                checksum(dest).write_text(sha256)
                part.replace(dest)
        return True

    def _member(self, name: str) -> tarfile.TarInfo:
        # Not tarfile's own way, which reads to the end of the file first: where that is cut off,
        # the part that is cut off is the one to name.
        while name not in self.seen and (member := self.tar.next()) is not None:
            if member.name in self.seen:
                raise CourseError(
                    f"the bundle {self.file} has {member.name[:100]!r} twice", "it once", _AGAIN
                )
            self.seen[member.name] = member
        return self.seen[name]

    def _copy(self, name: str, dest: Path) -> str:
        said, seen = self.parts[name], hashlib.sha256()
        sha256 = str(said["sha256"])
        try:
            member = self._member(name)
            if not member.isreg() or member.issparse() or member.size != said["bytes"]:
                raise CourseError(
                    f"the bundle's part {name} is no file of the size that its manifest says",
                    f"{said['bytes']} bytes",
                    _AGAIN,
                )
            content = cast("IO[bytes]", self.tar.extractfile(member))
            with dest.open("wb") as sink:
                while chunk := content.read(1 << 18):
                    seen.update(chunk)
                    sink.write(chunk)
        except (KeyError, tarfile.ReadError) as error:
            raise CourseError(
                f"the bundle {self.file} has no whole part {name}", "every part", _AGAIN
            ) from error
        if seen.hexdigest() != sha256:
            raise CourseError(
                f"the bundle's part {name} is damaged: sha256 {seen.hexdigest()[:12]}…",
                f"sha256 {sha256[:12]}…",
                _AGAIN,
            )
        return sha256


@contextmanager
def opened(file: Path, sha256: str = "") -> Iterator[Bundle]:
    """A bundle that is for this machine, and that root has reason to trust.

    Args:
        file: where it lies.
        sha256: its checksum, as `course bundle save` printed it. Root is asked for it at a
            terminal; others may leave it out.

    Raises:
        CourseError: it is no bundle, cut off, of another kind of machine or of another version;
            its checksum is another one, or root gave none.
    """
    if not file.is_file():
        raise CourseError(f"{file} is not there", "a bundle", "course bundle save FILE   elsewhere")
    try:
        with file.open("rb") as source:
            # Kept, so that the parts are compared with what the checksum is for, though somebody
            # writes to the file meanwhile.
            head = source.read(_HEAD)
            manifest = _manifest(head, file)
            _trust(source, head, file, sha256)
            source.seek(0)
            size = os.fstat(source.fileno()).st_size
            bounded = cast("IO[bytes]", archives.Bounded(source, size, file.name))
            with tarfile.open(fileobj=bounded, mode="r:") as tar:
                yield Bundle(file, manifest, tar)
    except tarfile.ReadError as error:
        raise CourseError(f"{file} is no whole bundle: {error}", "a whole file", _AGAIN) from error


def _manifest(head: bytes, file: Path) -> dict[str, Any]:
    try:
        # The first member: a bundle that is cut off still tells what it is.
        with tarfile.open(fileobj=io.BytesIO(head), mode="r:") as tar:
            first = tar.next()
            member = tar.extractfile(first) if first and first.name == "manifest.json" else None
            found: dict[str, Any] = json.load(member, object_pairs_hook=_once) if member else {}
        _fit(found, file)
        wrong = [name for name, fits in _MANIFEST.items() if not fits(found[name])]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CourseError(f"{file} has no manifest", "a bundle", _AGAIN) from error
    if wrong:
        raise CourseError(f"the manifest of {file} is wrong: {', '.join(wrong)}", "", _AGAIN)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _fit(manifest: Mapping[str, Any], file: Path) -> None:
    """Refuse a bundle that was saved for another machine or by another version of the course."""
    form, made_for, commit = manifest["format"], manifest["machine"], manifest.get("commit", "")
    if any(not _MANIFEST[name](manifest[name]) for name in ("format", "machine")):
        raise ValueError("format or machine")
    version = f" (commit {commit})" if commit and _MANIFEST["commit"](commit) else ""
    if form != FORMAT:
        age, do = ("an older", "git pull   there") if form < FORMAT else ("a newer", "git pull")
        raise CourseError(
            f"{file} was saved by {age} version of the course{version}: format {form}",
            f"format {FORMAT}, which this version reads",
            f"{do}, then again; or, here: git checkout {commit}" if version else f"{do}, again",
        )
    if made_for != machine():
        raise CourseError(
            f"{file} is for {made_for}",
            f"one for {machine()}, which this machine is",
            "course bundle save FILE   on a machine of this system and processor",
        )


def _trust(source: IO[bytes], head: bytes, file: Path, given: str) -> None:
    """Compare a bundle's checksum with what the user says that it is.

    Args:
        source: the open file, behind its head.
        head: its first bytes.
        file: where it lies.
        given: the checksum, or empty.
    """
    if not given and not is_root():
        return
    sha = hashlib.sha256(head)
    while chunk := source.read(1 << 20):
        sha.update(chunk)
    seen = sha.hexdigest()
    known = _known().read_text().split() if _known().is_file() else []
    if not given and seen in known:
        return
    wanted, least = (_hex(given), 64) if given else (_typed(file), _TYPED)
    if len(wanted) < least or not re.fullmatch(r"[0-9a-f]{1,64}", wanted):
        raise CourseError(
            f"{wanted[:80]!r} is no SHA-256",
            f"{64} characters of 0-9 and a-f" + (f", {least} at least" if least < 64 else ""),
            f"sha256sum {file.name}   where it was saved",
        )
    if not seen.startswith(wanted):
        raise CourseError(
            f"{file} has SHA-256 {seen}",
            wanted,
            "copy it again; if it stays so, it is not what was saved: do not use it",
        )
    private.write(_known(), "".join(f"{line}\n" for line in dict.fromkeys([*known, seen])))


def _known() -> Path:
    """Checksums of bundles that this user gave: the next command need not ask again."""
    return paths.state() / "bundles"


def _hex(said: str) -> str:
    """A checksum as people give it, e.g. a line of sha256sum."""
    return (said.split() or [""])[0].lower().removeprefix("sha256:")


def _typed(file: Path) -> str:
    if not sys.stdin.isatty():
        raise CourseError(
            f"programs of {file} will run as root, and nothing says whose they are",
            "its SHA-256, as `course bundle save` printed it",
            f"make start BUNDLE={file} BUNDLE_SHA256=…   or: course bundle load {file} --sha256 …",
        )
    print(
        f"Programs of {file} will run as root. Type the SHA-256 that `course bundle save`\n"
        f"printed, or its first {_TYPED} characters (sha256sum FILE shows it where it was saved):",
        file=sys.stderr,
    )
    return _hex(sys.stdin.readline(200))


def is_root() -> bool:
    """Whether what a bundle holds will run as root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _lock() -> dict[str, str]:
    """Each wheel of `uv.lock` and its checksum."""
    lock = tomllib.loads((paths.ROOT / "uv.lock").read_text())
    return {
        urllib.parse.unquote(wheel["url"].rsplit("/", 1)[-1]): wheel["hash"]
        for package in lock["package"]
        for wheel in package.get("wheels", ())
    }


def _locked(wheels: Path) -> None:
    """Refuse Python packages that are not those of `uv.lock`.

    Args:
        wheels: a folder of them.

    Raises:
        CourseError: one has another checksum, or is not in the lock.
    """
    known = _lock()
    for file in sorted(wheels.iterdir()):
        if file.is_symlink() or not file.is_file() or file.name not in known:
            raise CourseError(
                f"the bundle's Python packages hold {file.name}, which is not in uv.lock",
                "the packages of uv.lock alone",
                _AGAIN,
            )
        with file.open("rb") as content:
            seen = "sha256:" + hashlib.file_digest(content, "sha256").hexdigest()
        if seen != known[file.name]:
            raise CourseError(
                f"the bundle's {file.name} has {seen[:19]}…",
                f"{known[file.name][:19]}…, as uv.lock says",
                f"{_AGAIN}; if it stays so, somebody changed it",
            )


def machine() -> str:
    """What a bundle's programs run on, e.g. `linux x86_64`."""
    names = {"amd64": "x86_64", "arm64": "aarch64"}
    processor = platform.machine().lower()
    return f"{platform.system().lower()} {names.get(processor, processor)}"


def checksum(archive: Path) -> Path:
    """The file beside an image's archive that holds its checksum."""
    return archive.with_name(archive.name + ".sha256")


EXPORT = (
    *("export", "--frozen", "--offline", "--quiet", "--no-annotate", "--no-header"),
    *("--no-default-groups", "--group", "build", "--no-emit-project"),
)
"""What uv is asked for the locked packages, those that build the course itself among them."""


def python_key() -> str:
    """A short hash over everything that says which Python packages the course needs."""
    sha = hashlib.sha256()
    for name in ("uv.lock", "pyproject.toml"):
        sha.update((paths.ROOT / name).read_bytes())
    return sha.hexdigest()[:16]


def environment(file: Path, sha256: str = "", *, runner: Runner | None = None) -> None:
    """Make `.venv` from the Python packages in a bundle; no index is asked.

    Args:
        file: the bundle.
        sha256: its checksum, see `opened`.
        runner: runs uv.

    Raises:
        CourseError: it has none for this version of the course, or for this Python.
    """
    runner = runner or default_runner()
    name = f"{PYTHON}/{python_key()}.tgz"
    with opened(file, sha256) as bundle:
        if name not in bundle.parts:
            raise CourseError(
                f"{file} has no part {name}: its Python packages are of another version",
                "the packages of uv.lock",
                f"the clone at the version of the bundle: git checkout {bundle.manifest['commit']}",
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
    local = ["--offline", "--no-index", "--find-links", wheels, "--compile-bytecode", "--quiet"]
    venv = paths.ROOT / ".venv"
    install: list[object] = [uv, "pip", "install", "--python", venv, *local]
    runner.run([uv, "venv", "--allow-existing", "--quiet", "--python", sys.executable, venv],
              timeout=_WAIT)  # fmt: skip
    # By this clone's lock, not by a list that came with the packages.
    export = [*EXPORT, "--python", venv]
    with tempfile.TemporaryDirectory(prefix="course-") as temporary:
        wanted = Path(temporary) / "requirements.txt"
        wanted.write_text(runner.run([uv, *export], timeout=60, cwd=paths.ROOT).stdout)
        # Without what a package asks for besides: the lock leaves some of it out.
        complete = ["--no-deps", "--require-hashes", "--requirement", wanted]
        runner.run([*install, *complete], timeout=_WAIT)
    # With the build backend of the lock, which is installed by now.
    own = ["--no-deps", "--no-build-isolation", "--editable", paths.ROOT]
    runner.run([*install, *own], timeout=_WAIT)


def _uv(wheels: Path) -> Path:
    """The `uv` of the bundle, where the Makefile looks for it."""
    uv = paths.cache() / "uv" / "bin" / "uv"
    if not uv.exists():
        # One of uv.lock's, as all here.
        wheel = next(wheels.glob("uv-[0-9]*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".data/scripts/uv"))
            files.atomic_write(uv, archive.read(name), mode=0o755)
    return uv


def main() -> None:
    """Make the environment, or say what is wrong."""
    try:
        environment(Path(sys.argv[1]), *sys.argv[2:3])
    except (CourseError, OSError) as error:
        said = from_os_error(error) if isinstance(error, OSError) else error
        print(f"✗ make start BUNDLE={sys.argv[1]}", file=sys.stderr)
        sys.exit("  " + str(said).replace("\n", "\n  "))


if __name__ == "__main__":
    main()
