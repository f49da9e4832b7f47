"""What each layer of an image holds: paths and sizes, also of files that a later layer hides.

Reads what `docker save` writes: a tar of blobs with a `manifest.json`, each layer a tar of its own
(https://github.com/opencontainers/image-spec/blob/main/layer.md). A running container shows only
the topmost of each path; a pull brings all of them.
"""

from __future__ import annotations

import contextlib
import json
import tarfile
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from course.errors import CourseError

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"


@dataclass(frozen=True)
class Layer:
    """What one step of a build left.

    Args:
        by: the instruction, as `docker history` gives it.
        files: path without a leading slash → bytes; links and folders are not in it.
        removed: paths that this layer hides from those below; one ending in `/` hides only
            what is in that folder.
        found: text that was looked for → a path whose content has it.
    """

    by: str
    files: Mapping[str, int]
    removed: frozenset[str] = frozenset()
    found: Mapping[bytes, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(self.files.values())

    def hides(self, path: str) -> bool:
        """Whether a path of a lower layer can no longer be seen above this one."""
        return any(
            path.startswith(gone)
            if gone.endswith("/")
            else f"{path}/".startswith(f"{gone}/" if gone else "")
            for gone in self.removed
        )


def digests(client: Any, refs: Iterable[str]) -> frozenset[str]:
    """The digests of all layers of some images; those that are not here are passed over.

    Args:
        client: a Docker SDK client.
        refs: the images.
    """
    import docker.errors

    found: set[str] = set()
    for ref in refs:
        with contextlib.suppress(docker.errors.ImageNotFound):
            found.update(client.images.get(ref).attrs["RootFS"]["Layers"])
    return frozenset(found)


def read(
    client: Any, ref: str, *, known: Collection[str] = (), find: Collection[bytes] = ()
) -> list[Layer]:
    """The layers of an image, lowest first.

    Args:
        client: a Docker SDK client.
        ref: the image.
        known: digests of layers that are left out, e.g. those of the base.
        find: texts to look for in the files.

    Raises:
        CourseError: the engine gives the image in a form that cannot be read.
    """
    with tempfile.TemporaryFile() as file:
        for chunk in client.images.get(ref).save(chunk_size=1 << 20):
            file.write(chunk)
        file.seek(0)
        return parse(file, known=known, find=find)


def parse(
    file: IO[bytes], *, known: Collection[str] = (), find: Collection[bytes] = ()
) -> list[Layer]:
    """The layers in a file that `docker save` wrote.

    Args:
        file: it, opened; can be sought in.
        known: digests of layers, uncompressed, that are left out.
        find: texts to look for in the files.

    Raises:
        CourseError: it is no such file, or a layer is compressed in a way that is not known.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as saved:
            (manifest,) = json.load(_member(saved, "manifest.json"))
            config = json.load(_member(saved, manifest["Config"]))
            steps = [s for s in config.get("history", ()) if not s.get("empty_layer")]
            digests = config["rootfs"]["diff_ids"]
            if len(steps) != len(digests):  # an image may come without a history
                steps = [{}] * len(digests)
            return [
                _layer(_member(saved, name), step.get("created_by", ""), find)
                for name, digest, step in zip(manifest["Layers"], digests, steps, strict=True)
                if digest not in known
            ]
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise CourseError(
            f"what `docker save` wrote cannot be read: {error}",
            "an image of layers that are tar or tar.gz",
            "docker version   (wanted: 25 or newer)",
        ) from None


def seen(layers: Iterable[Layer]) -> dict[str, int]:
    """Path → bytes of what a container sees of these layers."""
    visible: dict[str, int] = {}
    for layer in layers:
        if layer.removed:
            visible = {path: size for path, size in visible.items() if not layer.hides(path)}
        visible.update(layer.files)
    return visible


def _member(saved: tarfile.TarFile, name: str) -> IO[bytes]:
    content = saved.extractfile(name)
    if content is None:
        raise KeyError(name)
    return content


def _layer(blob: IO[bytes], by: str, find: Collection[bytes]) -> Layer:
    files: dict[str, int] = {}
    removed: set[str] = set()
    found: dict[bytes, str] = {}
    with tarfile.open(fileobj=blob, mode="r|*") as tar:
        for member in tar:
            path = member.name.removeprefix("./").strip("/")
            folder, _, name = path.rpartition("/")
            if name == _OPAQUE:
                removed.add(f"{folder}/" if folder else "")
            elif name.startswith(_WHITEOUT):
                removed.add(f"{folder}/{name[len(_WHITEOUT) :]}".lstrip("/"))
            elif member.isreg():
                files[path] = member.size
                missing = [text for text in find if text not in found]
                content = tar.extractfile(member) if missing else None
                if content is not None:
                    data = content.read()
                    found.update({text: path for text in missing if text in data})
    return Layer(by, files, frozenset(removed), found)
