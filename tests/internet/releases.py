"""The hosts that tools are released at: every URL of the catalogue, and the publishers' checksums.

What is served under them was built here: another content, of the same layout.
"""

from __future__ import annotations

import functools
import hashlib
import io
import platform
import tarfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from course.artifacts import gateway_api, packages, tools
from course.core import machine, paths
from tests.internet.web import Answer, Request, Site, moved

FILE = paths.ROOT / "airgap" / "releases.toml"
KIND = "kind.sigs.k8s.io"
GITHUB = "github.com"
ASSETS = "release-assets.githubusercontent.com"
KUBERNETES = "dl.k8s.io"
KUBERNETES_CDN = "cdn.dl.k8s.io"
DOCKER = "download.docker.com"
_BYTES = {"Content-Type": "application/octet-stream"}


@dataclass
class Releases:
    """Files at the publishers' URLs.

    Args:
        files: URL → what is served.
    """

    files: dict[str, bytes | Path] = field(default_factory=dict)

    def sites(self) -> dict[str, Site]:
        """The hosts."""
        return {
            KIND: self._kind,
            GITHUB: self._github,
            ASSETS: self._assets,
            KUBERNETES: self._kubernetes,
            KUBERNETES_CDN: functools.partial(self._plain, KUBERNETES),
            DOCKER: functools.partial(self._plain, DOCKER),
        }

    def _plain(self, host: str, request: Request) -> Answer:
        found = self.files.get(f"https://{host}{request.path}")
        return Answer(404) if found is None else Answer(200, found, _BYTES)

    def _kind(self, request: Request) -> Answer:
        """kind's site names a release's files and sends to GitHub for them."""
        path = request.path.removeprefix("/dl/")
        if path == request.path:
            return Answer(404)
        return moved(f"https://{GITHUB}/kubernetes-sigs/kind/releases/download/{path}")

    def _kubernetes(self, request: Request) -> Answer:
        return moved(f"https://{KUBERNETES_CDN}{request.path}")

    def _github(self, request: Request) -> Answer:
        """A release's file is elsewhere, under an address that is good for some minutes."""
        if self._of_github(request.path) is None:
            return Answer(404)
        return moved(f"https://{ASSETS}/github-production-release-asset{request.path}?sig=x")

    def _assets(self, request: Request) -> Answer:
        path = request.path.removeprefix("/github-production-release-asset")
        found = self._of_github(path)
        if found is None or "sig=" not in request.query:
            return Answer(404)
        return Answer(200, found, _BYTES)

    def _of_github(self, path: str) -> bytes | Path | None:
        kinds = path.removeprefix("/kubernetes-sigs/kind/releases/download/")
        at = f"https://{GITHUB}{path}" if kinds == path else f"https://{KIND}/dl/{kinds}"
        return self.files.get(at)

    def sha256(self, url: str) -> str:
        """The digest of what is served, as hex."""
        content = self.files[url]
        if isinstance(content, bytes):
            return hashlib.sha256(content).hexdigest()
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def publish(self, url: str, content: bytes | Path, checksum: str = "") -> None:
        """Serve a file and, as its publisher does it, its checksum.

        Args:
            url: where.
            content: what.
            checksum: the URL of the checksum file; empty where none is published.
        """
        self.files[url] = content
        if checksum:
            self.files[checksum] = _checksum_file(checksum, Path(url).name, self.sha256(url))


def _checksum_file(url: str, name: str, sha256: str) -> bytes:
    if url.endswith(".sha256"):
        return sha256.encode()  # dl.k8s.io: the digest and nothing else
    if url.endswith(".sha256sum"):
        return f"{sha256}  {name}\n".encode()
    # One file for all of a release's: others stand before ours.
    return f"{'0' * 64} *{name}.sbom.json\n{sha256} *{name}\n".encode()


@dataclass(frozen=True)
class Entry:
    """A release of the catalogue, for this machine."""

    name: str
    url: str
    checksum: str
    cited: str
    """The sha256 that the catalogue has from a public source, as hex."""
    commands: dict[str, str]


def catalogue() -> list[Entry]:
    """The catalogue as it is written, so that nothing of it is served which is not in it."""
    system, arch = platform.system().lower(), machine.arch()
    names = {
        "os": system,
        "arch": arch,
        "machine": {"amd64": "x86_64", "arm64": "aarch64"}[arch],
        "docker_os": {"darwin": "mac"}.get(system, system),
    }
    found = []
    for name, entry in tomllib.loads(FILE.read_text()).items():
        cited = entry.get("sha256", {})
        found.append(
            Entry(
                name,
                entry["url"].format(**names),
                entry.get("checksum", "").format(**names),
                cited.get(f"{system}-{arch}") or cited.get("any") or "",
                entry.get("commands", {}),
            )
        )
    return found


def built(folder: Path) -> Releases:
    """The releases, made of what this machine's cache has.

    Args:
        folder: where archives are put.
    """
    made = Releases()
    for entry in catalogue():
        made.publish(entry.url, _content(entry, folder), entry.checksum)
    return made


def _content(entry: Entry, folder: Path) -> Path:
    if not entry.commands:
        return gateway_api.crds_file()
    files = there(entry.name)
    if not entry.url.endswith(".tgz"):
        return next(iter(files.values()))
    return _archive(files, folder / Path(entry.url).name)


def there(name: str) -> dict[str, Path]:
    """A tool's commands in the cache: the release's, or those that were built here."""
    released = tools.places(name)[0]
    commands = tools.CATALOGUE[name].commands
    if all(entry.exists() for entry in released):
        return {command: released[0] / command for command in commands}
    return {c: packages.entry(s) / s.rsplit("/", 1)[1] for c, s in commands.items()}


def _archive(files: dict[str, Path], dest: Path) -> Path:
    """Docker's static archive: everything in a folder `docker`, with files that nobody asks for."""
    with tarfile.open(dest, "w:gz", compresslevel=1) as tar:
        for name, file in sorted(files.items()):
            tar.add(file, f"docker/{name}")
        info = tarfile.TarInfo("docker/docker-init")
        info.mode, info.size = 0o755, 4
        tar.addfile(info, io.BytesIO(b"init"))
    return dest
