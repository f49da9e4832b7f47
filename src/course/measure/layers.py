"""What each layer of an image holds: paths and sizes, also of files that a later layer hides.

Reads what `docker save` writes: a tar of blobs with a `manifest.json`, each layer a tar of its own
(https://github.com/opencontainers/image-spec/blob/main/layer.md). A running container shows only
the topmost of each path; a pull brings all of them.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import lzma
import posixpath
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple, cast

import zstandard

from course.core.errors import CourseError
from course.core.text import printable

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_NOTES = ".wh..wh."
"""Of names that begin so, AUFS keeps notes at the root of a layer; no container sees them."""
_CHUNK = 1 << 20
_LINKS = 40
"""So many are followed on one path, as by the kernel."""
_WINDOW = 1 << 29
"""Bytes of a zstd window that are kept at most, as by Docker's own reader."""
_SKIPPED = tuple(bytes((n, 0x2A, 0x4D, 0x18)) for n in range(0x50, 0x60))
"""How a zstd frame begins that holds no data: pzstd puts one in front."""
_FILE, _HARD_LINK, _LINK, _FOLDER, _OTHER = "file", "hard link", "link", "folder", "other"


def _zstd(blob: IO[bytes]) -> Any:
    unpacker = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    return unpacker.stream_reader(blob, read_across_frames=True)


_PACKED: Mapping[tuple[bytes, ...], Callable[[IO[bytes]], Any]] = {
    # One that reads on after the first member: estargz has one for each file, zstd has frames.
    (b"\x1f\x8b",): lambda blob: gzip.GzipFile(fileobj=blob),
    (b"\x28\xb5\x2f\xfd", *_SKIPPED): _zstd,
    (b"\xfd7zXZ\x00",): lzma.LZMAFile,
    (b"BZh",): bz2.BZ2File,
}
_DAMAGED = (
    *(tarfile.TarError, KeyError, TypeError, ValueError, OSError, EOFError),
    *(zlib.error, lzma.LZMAError, zstandard.ZstdError),
)


class Entry(NamedTuple):
    """One entry of a layer's tar, except a whiteout.

    Args:
        path: without a leading slash; what is not printable or not UTF-8 is escaped.
        kind: `file`, `hard link`, `link` for a symbolic one, `folder`, or `other`: devices, pipes.
        size: bytes of a file.
        target: what a link names: a hard one a path from the root, a symbolic one as it says.
    """

    path: str
    kind: str
    size: int = 0
    target: str = ""


class File(NamedTuple):
    """A file that a container sees.

    Args:
        size: bytes.
        layer: which layer has its content, from 0.
        path: its path there; a hard link may have another one.
    """

    size: int
    layer: int
    path: str


@dataclass(frozen=True)
class Layer:
    """What one step of a build left.

    Args:
        by: the instruction, as `docker history` gives it.
        entries: in the order of the tar.
        removed: paths that this layer hides from those below, each with all that is in it.
        emptied: folders of which this layer hides what those below have in them.
        found: text that was looked for → the paths whose content has it.
    """

    by: str
    entries: tuple[Entry, ...]
    removed: frozenset[str] = frozenset()
    emptied: frozenset[str] = frozenset()
    found: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, int]:
        """Path → bytes of its files; a hard link adds none."""
        return {e.path: e.size for e in self.entries if e.kind in (_FILE, _HARD_LINK)}

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(entry.size for entry in self.entries)


def ids(image: Any) -> list[str]:
    """The digests of an image's layers, uncompressed, lowest first; an image may have none.

    Args:
        image: the SDK's image.
    """
    return list((image.attrs.get("RootFS") or {}).get("Layers") or [])


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
            found.update(ids(client.images.get(ref)))
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
    import docker.errors

    image = client.images.get(ref)
    own = ids(image)
    if not own:
        return []  # `docker save` refuses an image without layers
    with tempfile.TemporaryFile() as file:
        try:
            for chunk in image.save(chunk_size=_CHUNK):
                file.write(chunk)
        except docker.errors.APIError as error:
            raise CourseError(
                f"`docker save {ref}` fails: {error.explanation}",
                "an image whose layers are all here",
                f"docker save --output /dev/null {ref}",
            ) from error
        file.seek(0)
        return parse(file, known=known, find=find, own=own)


def parse(
    file: IO[bytes],
    *,
    known: Collection[str] = (),
    find: Collection[bytes] = (),
    own: Collection[str] | None = None,
) -> list[Layer]:
    """The layers in a file that `docker save` wrote.

    Args:
        file: it, opened; can be sought in.
        known: digests of layers, uncompressed, that are left out.
        find: texts to look for in the files.
        own: the digests of all layers of the image that is meant, where the file has one for
            each of several platforms.

    Raises:
        CourseError: it is no such file, or a layer is compressed in a way that is not known.
    """
    try:
        with tarfile.open(fileobj=file, mode="r:") as saved:
            names, config = _meant(saved, own)
            digests = _diff_ids(config)
            if len(names) != len(digests):
                raise ValueError(f"{len(names)} layers, of which it describes {len(digests)}")
            steps = [s for s in config.get("history") or () if not s.get("empty_layer")]
            if len(steps) != len(digests):  # an image may come without a history
                steps = [{}] * len(digests)
            return [
                _layer(_member(saved, name), name, step.get("created_by") or "", find)
                for name, digest, step in zip(names, digests, steps, strict=True)
                if digest not in known
            ]
    except _DAMAGED as error:
        raise CourseError(
            f"what `docker save` wrote cannot be read: {error}",
            "an image whose layers are tar files, plain or packed by gzip, zstd, xz or bzip2",
            "docker version   (wanted: 25 or newer)",
        ) from error


def visible_files(layers: Iterable[Layer]) -> dict[str, File]:
    """Path → file, as a container sees these layers."""
    root: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        links = [entry.target for entry in layer.entries if entry.kind == _HARD_LINK]
        below = {target: _find(root, target) for target in links}
        for path in layer.emptied:
            node = _find(root, path)
            if isinstance(node, dict):
                node.clear()
        for path in layer.removed:
            folder, _, name = path.rpartition("/")
            node = _find(root, folder)
            if isinstance(node, dict):
                node.pop(name, None)
        for entry in layer.entries:
            _put(root, entry, number, below)
    return {path: file for path, file in _walk(root, "") if not path.startswith(_NOTES)}


class _Link(NamedTuple):
    target: str
    layer: int


def _find(root: dict[str, Any], path: str) -> Any:
    node: Any = root
    for name in _parts(path):
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _put(root: dict[str, Any], entry: Entry, layer: int, below: Mapping[str, Any]) -> None:
    """Put an entry into the tree: a folder joins a folder, all else replaces what is there.

    Args:
        root: the tree.
        entry: of a layer.
        layer: its number.
        below: what hard links of this layer name in those below.
    """
    folder, _, name = entry.path.rpartition("/")
    if not name:
        return
    node = _folder(root, folder, layer)
    if entry.kind == _FOLDER:
        if not isinstance(node.get(name), dict):
            node[name] = {}
    elif entry.kind == _FILE:
        node[name] = File(entry.size, layer, entry.path)
    elif entry.kind == _HARD_LINK:
        folder, _, linked = entry.target.rpartition("/")
        source = _folder(root, folder, layer, make=False).get(linked)
        node[name] = below.get(entry.target) if source is None else source
    else:
        node[name] = _Link(entry.target, layer) if entry.kind == _LINK else None


def _folder(root: dict[str, Any], path: str, layer: int, *, make: bool = True) -> dict[str, Any]:
    """The folder of that path; what else has its name gives way, unless none is to be made.

    A layer is unpacked by itself and laid upon those below: a link leads on in its own layer only.
    """
    at, todo, links = [root], _parts(path)[::-1], _LINKS
    while todo:
        name = todo.pop()
        one = at[-1].get(name)
        if name in ("", "."):
            continue
        if name == "..":
            at = at[:-1] or [root]
        elif isinstance(one, _Link) and one.layer == layer and links:
            # What it names begins where it is, whichever links have led there.
            at, links = [root] if one.target.startswith("/") else at, links - 1
            todo += reversed(one.target.split("/"))
        else:
            if not isinstance(one, dict):
                one = {}
                if make:
                    at[-1][name] = one
            at.append(one)
    return at[-1]


def _parts(path: str) -> list[str]:
    return path.split("/") if path else []


def _walk(root: dict[str, Any], below: str) -> Iterator[tuple[str, File]]:
    todo = [(below, root)]
    while todo:
        folder, node = todo.pop()
        for name, one in node.items():
            if isinstance(one, dict):
                todo.append((f"{folder}{name}/", one))
            elif isinstance(one, File):
                yield f"{folder}{name}", one


def _meant(
    saved: tarfile.TarFile, own: Collection[str] | None
) -> tuple[list[str], Mapping[str, Any]]:
    """The names of the layers and the configuration of the image that is meant."""
    images: list[tuple[list[str], Mapping[str, Any]]] = []
    for manifest in json.load(_member(saved, "manifest.json")) or ():
        if not isinstance(manifest, dict):
            raise TypeError("its manifest.json describes no image")
        config = json.load(_member(saved, str(manifest["Config"])))
        if not isinstance(config, dict):
            raise TypeError(f"{manifest['Config']} is no configuration")
        images.append((list(manifest.get("Layers") or []), config))
    if own is not None and len(images) > 1:
        of = [i for i in images if _diff_ids(i[1]) == list(own)]
        images = of[:1] or images
    if len(images) != 1:
        raise ValueError(f"{len(images)} images in one")
    return images[0]


def _diff_ids(config: Mapping[str, Any]) -> list[str]:
    return list((config.get("rootfs") or {}).get("diff_ids") or [])


def _member(saved: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        content = saved.extractfile(name)
    except KeyError:
        content = None
    if content is None:
        raise ValueError(f"it names {name} and does not have it")
    return content


class _Info(tarfile.TarInfo):
    """A member of a tar whose damage is an error; the library takes it for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _Info:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ in ("EOFHeaderError", "EmptyHeaderError"):
                raise
            raise ValueError(f"a layer is damaged at byte {tarfile_.offset}: {error}") from error


def _layer(blob: IO[bytes], name: str, by: str, find: Collection[bytes]) -> Layer:
    entries: list[Entry] = []
    removed: set[str] = set()
    emptied: set[str] = set()
    found: dict[bytes, list[str]] = {}
    unpacked = _unpacked(blob, name)
    # zstd's reader does not tell a frame that is cut off from one that holds nothing.
    if not unpacked.read(1) and not isinstance(unpacked, zstandard.ZstdDecompressionReader):
        return Layer(by, ())
    blob.seek(0)
    with tarfile.open(fileobj=_unpacked(blob, name), mode="r|", tarinfo=_Info) as tar:
        for member in tar:
            path = _path(member.name)
            folder, _, base = path.rpartition("/")
            if base.startswith(_WHITEOUT):
                entries.append(Entry(folder, _FOLDER))
            if base == _OPAQUE:
                emptied.add(folder)
            elif base.startswith(_WHITEOUT):
                removed.add(f"{folder}/{base[len(_WHITEOUT) :]}".lstrip("/"))
            elif member.isdir():
                entries.append(Entry(path, _FOLDER))
            elif member.isreg():
                entries.append(Entry(path, _FILE, member.size))
                content = tar.extractfile(member) if find else None
                for text in _within(content, find) if content else ():
                    found.setdefault(text, []).append(path)
            elif member.islnk():
                entries.append(Entry(path, _HARD_LINK, target=_path(member.linkname)))
            elif member.issym():
                entries.append(Entry(path, _LINK, target=printable(member.linkname)))
            else:
                entries.append(Entry(path, _OTHER))
    paths = {text: tuple(at) for text, at in found.items()}
    return Layer(by, tuple(entries), frozenset(removed), frozenset(emptied), paths)


def _unpacked(blob: IO[bytes], name: str) -> IO[bytes]:
    """A layer's tar, whatever packs it.

    Raises:
        CourseError: something does that is not known here.
    """
    head = blob.read(512)
    blob.seek(0)
    for magic, unpack in _PACKED.items():
        if head.startswith(magic):
            return cast("IO[bytes]", unpack(blob))
    if head.strip(b"\0") and not _is_header(head):
        raise CourseError(
            f"a layer is packed in a way that is not known: {name} begins with {head[:4].hex(' ')}",
            "a tar, plain or packed by gzip, zstd, xz or bzip2",
            "build the image again without --output, or with compression=gzip",
        )
    return blob


def _is_header(head: bytes) -> bool:
    """Whether a tar may begin so: its checksum is right, whichever of the formats it has."""
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _path(name: str) -> str:
    """A tar's name for a path: `./`, `/` and `..` resolved, and fit to be printed."""
    return posixpath.normpath(f"/{printable(name)}").lstrip("/")


def _within(content: IO[bytes], find: Collection[bytes]) -> list[bytes]:
    """Which of some texts a file has; it is read in pieces, it may be larger than the memory."""
    missing, has, tail = list(find), [], b""
    keep = max(map(len, find)) - 1
    while missing and (piece := content.read(_CHUNK)):
        window = tail + piece
        has += [text for text in missing if text in window]
        missing = [text for text in missing if text not in has]
        tail = window[-keep:] if keep else b""
    return has


@dataclass(frozen=True)
class Piece:
    """A layer of an image.

    Args:
        by: the instruction that made it.
        size: bytes on disk.
        base: whether the base image brought it.
    """

    by: str
    size: int
    base: bool


def image_layers(image: Any, base: Any) -> list[Piece]:
    """The layers of an image that hold something, lowest first.

    Args:
        image: the SDK's image.
        base: the image that it is built on.
    """
    history = list(reversed(image.history()))
    below = ids(base)
    shared = ids(image)[: len(below)] == below
    count = len(base.history()) if shared else 0
    return [
        Piece(_plain(step["CreatedBy"], base=number < count), step["Size"], number < count)
        for number, step in enumerate(history)
        if step["Size"]
    ]


def _plain(by: str, *, base: bool) -> str:
    text = re.sub(r"^RUN (\|\d+ .*?)?/bin/sh -c ", "RUN ", by.replace("# buildkit", ""))
    return " ".join(text.replace("/bin/sh -c #(nop)", "").split()) or (
        "Debian's files" if base else "files of no step"
    )
