"""Images as publishers push them, out of what `docker save` gives.

An index of several platforms with attestations beside them, and without the course's labels:
so its digests are other ones, and what decides by label takes the branch of a pulled image.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from course.artifacts import images
from course.core import machine

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
_INTOTO = "application/vnd.in-toto+json"
_NAME = "io.containerd.image.name"
_PREFIX = "docker.io/"
_HASHED = 1 << 20


@dataclass
class Published:
    """A folder of blobs, and which repository's tag names which."""

    folder: Path
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    """(repository, tag) → the digest of an index."""
    media: dict[str, str] = field(default_factory=dict)

    def blob(self, digest: str) -> Path | None:
        """The file of a blob."""
        file = self.folder / digest.removeprefix("sha256:")
        return file if digest.startswith("sha256:") and file.is_file() else None

    def manifest(self, name: str, ref: str) -> tuple[str, str, bytes] | None:
        """A manifest or index by tag or digest: its digest, its type, and itself."""
        digest = self.tags.get((name, ref), ref)
        file = self.blob(digest)
        return (
            (digest, self.media[digest], file.read_bytes())
            if file and digest in self.media
            else None
        )

    def digest(self, ref: str) -> str:
        """The digest of an image's index, by the name that lessons use."""
        return self.tags[repository(ref)]

    def add(self, content: bytes, media: str = "") -> dict[str, Any]:
        """Keep a small blob; its descriptor."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / digest.removeprefix("sha256:")).write_bytes(content)
        if media in (INDEX, MANIFEST):
            self.media[digest] = media
        return {"mediaType": media, "digest": digest, "size": len(content)}

    def add_json(self, value: Any, media: str) -> dict[str, Any]:
        """The same for a value."""
        return self.add(json.dumps(value, sort_keys=True, separators=(",", ":")).encode(), media)

    def push(self, ref: str, manifest: dict[str, Any], **config: Any) -> str:
        """Publish an image of one platform as an index.

        Args:
            ref: the name that lessons use.
            manifest: the manifest of what was assembled; its blobs are in the folder.
            config: what of the image's configuration is to differ.

        Returns:
            The index's digest.
        """
        own = json.loads((self.folder / _hex(manifest["config"])).read_text())
        own |= config
        own["config"] = dict(own.get("config") or {})
        labels = dict(own["config"].get("Labels") or {})
        labels.pop(images.KEY, None)
        own["config"]["Labels"] = labels or None
        entries = []
        for arch in dict.fromkeys((machine.arch(), "amd64", "arm64")):
            described = self._image({**own, "architecture": arch}, manifest["layers"])
            variant = {"variant": "v8"} if arch == "arm64" else {}
            entries.append(
                described | {"platform": {"os": "linux", "architecture": arch} | variant}
            )
        entries += [self._attestation(entry) for entry in entries]
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        digest = str(self.add_json(index, INDEX)["digest"])
        self.tags[repository(ref)] = digest
        return digest

    def invent(self, ref: str, content: str = "") -> str:
        """Publish an image of a few bytes; its index's digest."""
        text = f"{ref} {content}".encode()
        sink = io.BytesIO()
        with tarfile.open(fileobj=sink, mode="w") as tar:
            info = tarfile.TarInfo("etc/name")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
        layer = self.add(sink.getvalue(), "application/vnd.oci.image.layer.v1.tar")
        config = {
            "architecture": machine.arch(),
            "os": "linux",
            "config": {"Labels": {images.KEY: "0" * 16}},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
        return self.push(ref, {"config": self.add_json(config, CONFIG), "layers": [layer]})

    def _image(self, config: dict[str, Any], layers: list[dict[str, Any]]) -> dict[str, Any]:
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add_json(config, CONFIG),
            "layers": layers,
        }
        return self.add_json(value, MANIFEST)

    def _attestation(self, of: dict[str, Any]) -> dict[str, Any]:
        """How BuildKit publishes where an image came from."""
        statement = {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "_", "digest": {"sha256": _hex(of)}}],
            "predicate": {"buildType": "https://mobyproject.org/buildkit@v1"},
        }
        layer = self.add_json(statement, _INTOTO)
        config = {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
        layer["annotations"] = {"in-toto.io/predicate-type": statement["predicateType"]}
        return self._image(config, [layer]) | {
            "platform": {"os": "unknown", "architecture": "unknown"},
            "annotations": {
                "vnd.docker.reference.digest": of["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }

    def read(self, stream: IO[bytes]) -> dict[str, dict[str, Any]]:
        """Take the blobs of an archive of `docker save`.

        Returns:
            Image name, in full → its manifest for this machine.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        index: dict[str, Any] = {}
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                source = tar.extractfile(member) if member.isfile() else None
                if source is None:
                    continue
                if member.name == "index.json":
                    index = json.load(source)
                elif member.name.startswith("blobs/sha256/"):
                    _copy(source, self.folder / Path(member.name).name)
        return {
            entry["annotations"][_NAME]: self._of_this_machine(entry)
            for entry in index["manifests"]
            if _NAME in entry.get("annotations", {})
        }

    def _of_this_machine(self, entry: dict[str, Any]) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.folder / _hex(entry)).read_text())
        for inner in value.get("manifests", ()):
            if inner.get("platform", {}).get("architecture") == machine.arch():
                return self._of_this_machine(inner)
        return value


def repository(ref: str) -> tuple[str, str]:
    """Where on Docker Hub an image is: repository and tag."""
    name, _, tag = ref.removeprefix(_PREFIX).partition(":")
    return (name if "/" in name else f"library/{name}"), tag or "latest"


def assembled(refs: Iterable[str], folder: Path) -> Published:
    """Publish images that the machine's Docker has.

    Args:
        refs: names that lessons use.
        folder: where the blobs go.
    """
    refs = list(refs)
    made = Published(folder)
    saving = subprocess.Popen(["docker", "save", *refs], stdout=subprocess.PIPE)
    assert saving.stdout is not None
    with saving.stdout:
        found = made.read(saving.stdout)
    assert saving.wait(timeout=60) == 0, f"docker save {' '.join(refs)}"
    for ref in refs:
        name, tag = repository(ref)
        made.push(ref, found[f"{_PREFIX}{name}:{tag}"])
    return made


def invented(refs: Iterable[str], folder: Path) -> Published:
    """Publish images of a few bytes, for tests without a Docker."""
    made = Published(folder)
    for ref in refs:
        made.invent(ref)
    return made


def _hex(described: dict[str, Any]) -> str:
    return str(described["digest"]).removeprefix("sha256:")


def _copy(source: IO[bytes], dest: Path) -> None:
    if not dest.exists():
        part = dest.with_suffix(".part")
        with part.open("wb") as sink:
            while chunk := source.read(_HASHED):
                sink.write(chunk)
        part.rename(dest)
