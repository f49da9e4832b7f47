"""Layers, read from small archives of the form that `docker save` writes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import zstandard

from course.core.errors import CourseError
from course.measure import layers
from course.measure.layers import Piece, image_layers

Member = tuple[str, bytes | str]
"""A name, and a file's content or what else it is: `folder`, `fifo`, `device`, `-> target` for a
symbolic link, `= target` for a hard link."""


def tar(members: dict[str, bytes] | Sequence[Member], form: int = tarfile.PAX_FORMAT) -> bytes:
    sink = io.BytesIO()
    kinds = {"folder": tarfile.DIRTYPE, "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE}
    with tarfile.open(fileobj=sink, mode="w", format=form) as out:
        for name, what in members.items() if isinstance(members, dict) else members:
            member = tarfile.TarInfo(name)
            data = what if isinstance(what, bytes) else b""
            member.size = len(data)
            if isinstance(what, str):
                sign, _, member.linkname = what.partition(" ")
                links = {"->": tarfile.SYMTYPE, "=": tarfile.LNKTYPE}
                member.type = kinds.get(sign) or links[sign]
            out.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def plain(data: bytes) -> bytes:
    return data


def saved(
    *stack: dict[str, bytes] | Sequence[Member] | bytes,
    pack: Callable[[bytes], bytes] = gzip.compress,
    history: bool = True,
) -> io.BytesIO:
    files: dict[str, bytes] = {}
    steps: list[dict[str, object]] = [{"created_by": "ENV A=1", "empty_layer": True}]
    for i, content in enumerate(stack):
        files[f"blobs/sha256/{i}"] = pack(content if isinstance(content, bytes) else tar(content))
        steps.append({"created_by": f"RUN step {i}"})
    config = {
        "rootfs": {"diff_ids": [f"sha256:{i}" for i in range(len(stack))]},
        "history": steps if history else [],
    }
    files["blobs/sha256/config"] = json.dumps(config).encode()
    manifest = {
        "Config": "blobs/sha256/config",
        "Layers": [f"blobs/sha256/{i}" for i in range(len(stack))],
    }
    files["manifest.json"] = json.dumps([manifest]).encode()
    return io.BytesIO(tar(files))


def seen(*stack: dict[str, bytes] | Sequence[Member]) -> dict[str, int]:
    """Path → bytes, as a container sees these layers."""
    return sizes(layers.parse(saved(*stack)))


def sizes(found: Sequence[layers.Layer]) -> dict[str, int]:
    return {path: file.size for path, file in layers.visible_files(found).items()}


STACK = (
    {"bin/sh": b"x" * 10},
    {"app/.env": b"KEY=hidden-text", "app/a.js": b"1", "app/lib/b.js": b"22"},
    {"app/.wh..env": b"", "app/c.js": b"333"},
)


def estargz(data: bytes) -> bytes:
    """One gzip member for each piece, as estargz has one for each file."""
    cut = [data[at : at + 700] for at in range(0, len(data), 700)]
    return b"".join(map(gzip.compress, cut))


def frames(data: bytes) -> bytes:
    """Several zstd frames, as zstd:chunked writes them."""
    cut = [data[at : at + 700] for at in range(0, len(data), 700)]
    return b"".join(map(zstandard.compress, cut))


def pzstd(data: bytes) -> bytes:
    """A frame to be skipped, with the length of the next one, as pzstd writes before each."""
    return b"\x50\x2a\x4d\x18\x04\0\0\0\x10\0\0\0" + zstandard.compress(data)


def far_back(data: bytes) -> bytes:
    """What `zstd --long=28` writes: it looks back further than most readers keep."""
    far = zstandard.ZstdCompressionParameters(window_log=28, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=far).compressobj()
    return packer.compress(data) + packer.flush()


PACKERS = [
    *(gzip.compress, estargz, zstandard.compress, frames, pzstd, far_back),
    *(lzma.compress, bz2.compress, plain),
]


@pytest.mark.parametrize("pack", PACKERS)
def test_a_file_that_a_later_step_deletes_is_still_in_its_layer(
    pack: Callable[[bytes], bytes],
) -> None:
    found = layers.parse(saved(*STACK, pack=pack), find=(b"hidden-text", b"not there"))
    assert [layer.by for layer in found] == ["RUN step 0", "RUN step 1", "RUN step 2"]
    assert found[1].found == {b"hidden-text": ("app/.env",)}
    assert found[2].found == {}
    assert found[1].size == 18
    assert sizes(found) == {"bin/sh": 10, "app/a.js": 1, "app/lib/b.js": 2, "app/c.js": 3}


def test_layers_of_the_base_are_left_out() -> None:
    found = layers.parse(saved(*STACK), known={"sha256:0"})
    assert [layer.by for layer in found] == ["RUN step 1", "RUN step 2"]


def test_a_folder_that_is_removed_takes_what_is_in_it_and_not_its_namesakes() -> None:
    found = layers.parse(saved({"a/b/c": b"1", "a/bc": b"2"}, {"a/.wh.b": b""}))
    assert sizes(found) == {"a/bc": 1}


def test_a_folder_that_is_made_anew_hides_what_was_in_it() -> None:
    found = layers.parse(saved({"a/b": b"1", "c": b"2"}, {"a/.wh..wh..opq": b"", "a/d": b"3"}))
    assert sizes(found) == {"c": 1, "a/d": 1}


def test_an_image_without_a_history_has_layers_all_the_same() -> None:
    assert [layer.by for layer in layers.parse(saved(*STACK, history=False))] == ["", "", ""]


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, tar({"other": b""})])
def test_what_is_no_image_is_said(content: bytes) -> None:
    with pytest.raises(CourseError, match="cannot be read"):
        layers.parse(io.BytesIO(content))


@pytest.mark.parametrize("other", [b"x", "-> /tmp", "fifo", "device"])
def test_what_takes_a_folders_place_hides_all_that_was_in_it(other: bytes | str) -> None:
    below = (("src", "folder"), ("src/a.ts", b"1"), ("src/b/c.ts", b"1"), ("srcs/d.ts", b"22"))
    found = seen(below, (("src", other),))
    assert found == {"srcs/d.ts": 2} | ({"src": 1} if other == b"x" else {})


def test_a_folder_takes_a_files_place_and_joins_a_folder() -> None:
    assert seen({"a": b"1", "b/c": b"1"}, (("a", "folder"), ("b", "folder"))) == {"b/c": 1}
    assert seen({"a": b"1"}, {"a/x": b"22"}) == {"a/x": 2}


def test_a_hard_link_keeps_the_content_whose_first_name_goes() -> None:
    found = layers.parse(
        saved((("a", b"a secret"), ("b", "= a")), (("c", "= a"), (".wh.a", b""))), find=(b"secret",)
    )
    assert found[0].files == {"a": 8, "b": 0} and found[0].size == 8
    assert layers.visible_files(found) == dict.fromkeys("bc", layers.File(8, 0, "a"))
    assert found[0].found == {b"secret": ("a",)}


def test_a_link_leads_on_in_its_own_layer_and_gives_way_to_a_folder_of_a_later_one() -> None:
    both: tuple[Member, ...] = (("usr/lib", "folder"), ("lib", "-> usr/lib"))
    assert seen((*both, ("lib/x", b"1"))) == {"usr/lib/x": 1}
    assert seen(both, {"lib/x": b"1"}) == {"lib/x": 1}
    assert seen((("a", "-> b"), ("b", "-> a"), ("a/x", b"1"))) == {"a/x": 1}


def test_a_hard_link_may_name_its_file_through_a_link() -> None:
    for link in ("-> usr/lib", "-> /usr/lib"):
        one: list[Member] = [("usr/lib/x", b"1234"), ("lib", link), ("usr/y", "= lib/x")]
        assert seen(one) == {"usr/lib/x": 4, "usr/y": 4}
    assert seen({"a": b"1"}, [("b", "= a/c")]) == {"a": 1}  # looking for one makes no folder


def test_a_link_begins_where_it_is_and_not_where_its_name_says() -> None:
    linked: list[Member] = [
        ("x/y/z", "folder"),
        ("a", "-> x/y"),
        ("a/l", "-> ../q"),
        ("a/l/f", b"1"),
    ]
    assert seen(linked) == {"x/q/f": 1}
    assert seen([("x/y", "folder"), ("a", "-> x/y"), ("b", "-> a/../w"), ("b/f", b"1")]) == {
        "x/w/f": 1
    }
    assert seen([("b", "-> ../../../etc"), ("b/f", b"1")]) == {"etc/f": 1}
    assert seen([("b", "-> c"), ("c", "-> b"), ("b/f", b"1")]) == {"b/f": 1}


def test_what_begins_as_a_whiteout_and_names_nothing_hides_nothing() -> None:
    below = {"etc/passwd": b"1", "etc/hosts": b"2"}
    for name in (".wh.", ".wh..", ".wh...", ".wh..wh..opqX"):
        assert sorted(seen(below, [(f"etc/{name}", b""), (name, b"")])) == [*sorted(below)]


def test_an_emptied_folder_in_a_links_place_leaves_what_the_link_named() -> None:
    below: list[Member] = [("target/keep", b"1"), ("link", "-> target")]
    above: list[Member] = [("link", "folder"), ("link/.wh..wh..opq", b""), ("link/new", b"22")]
    assert seen(below, above) == {"target/keep": 1, "link/new": 2}


def test_what_aufs_notes_in_a_layer_is_no_file_of_the_container() -> None:
    kept: list[Member] = [
        (".wh..wh.plnk/1.2", b"1"),
        ("a", "= .wh..wh.plnk/1.2"),
        (".wh..wh.aufs", b""),
    ]
    assert seen(kept) == {"a": 1}


def test_names_are_paths_from_the_root_however_a_tar_writes_them() -> None:
    names = ("./a", "/b", "c/", "./d//e", "f/./g", "h/../i", "../j", ".//./k")
    assert sorted(seen(dict.fromkeys(names, b"1"))) == sorted(
        ["a", "b", "c", "d/e", "f/g", "i", "j", "k"]
    )
    assert seen({"A": b"1", "a": b"22"}) == {"A": 1, "a": 2}
    assert seen((("a", b"1"), ("a", b"333"))) == {"a": 3}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_are_read_whole(form: int) -> None:
    deep = "/".join(["d" * 90] * 40)
    stack = (tar({deep: b"1", "x": b"1"}, form), tar({f"{deep[:90]}/.wh.{'d' * 90}": b""}, form))
    assert sizes(layers.parse(saved(stack[0]))) == {deep: 1, "x": 1}
    assert sizes(layers.parse(saved(*stack))) == {"x": 1}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_name_that_is_not_utf8_can_be_printed_and_removed(form: int) -> None:
    stack = [tar({"caf\udce9.ts": b"1", "a\nb": b"1"}, form), tar({".wh.caf\udce9.ts": b""}, form)]
    found = layers.parse(saved(*stack))
    assert [*found[0].files] == ["caf\\xe9.ts", "a\\nb"]
    json.dumps([*found[0].files], ensure_ascii=False).encode()
    assert [*layers.visible_files(found)] == ["a\\nb"]


def test_a_text_is_found_across_the_pieces_in_which_a_file_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(layers, "_CHUNK", 7)
    content = b"0123456789 the-secret 0123456789"
    for text in (b"the-secret", b"0", content):
        (layer,) = layers.parse(saved({"a": content}), find=(text, b"none"))
        assert layer.found == {text: ("a",)}


def test_an_image_without_layers_holds_nothing() -> None:
    found = json.dumps([{"Config": "c", "Layers": None}]).encode()
    config = json.dumps({"rootfs": {"type": "layers"}, "history": [{"empty_layer": True}]})
    assert layers.parse(io.BytesIO(tar({"manifest.json": found, "c": config.encode()}))) == []
    bare = json.dumps({"rootfs": None}).encode()
    assert layers.parse(io.BytesIO(tar({"manifest.json": found, "c": bare}))) == []
    image = SimpleNamespace(attrs={"RootFS": {"Type": "layers"}})  # `docker save` refuses it
    client = SimpleNamespace(images=SimpleNamespace(get=lambda _: image))
    assert layers.read(client, "bare:1") == []
    assert layers.digests(client, ["bare:1"]) == frozenset()


@pytest.mark.parametrize("empty", [b"", bytes(1024), bytes(10240)])
def test_a_layer_may_be_empty(empty: bytes) -> None:
    for pack in (plain, gzip.compress):
        assert sizes(layers.parse(saved({"a": b"1"}, empty, pack=pack))) == {"a": 1}


def test_of_several_platforms_in_one_image_the_one_is_read_that_is_meant() -> None:
    files: dict[str, bytes] = {}
    manifests = []
    for name in ("amd64", "arm64"):
        files[name] = tar({name: b"1"})
        files[f"c-{name}"] = json.dumps({"rootfs": {"diff_ids": [f"sha256:{name}"]}}).encode()
        manifests.append({"Config": f"c-{name}", "Layers": [name]})
    files["manifest.json"] = json.dumps(manifests).encode()
    whole = tar(files)
    (layer,) = layers.parse(io.BytesIO(whole), own=["sha256:arm64"])
    assert [*layer.files] == ["arm64"]
    with pytest.raises(CourseError, match="2 images in one"):
        layers.parse(io.BytesIO(whole), own=["sha256:s390x"])


def lz4(data: bytes) -> bytes:
    return b"\x04\x22\x4d\x18" + data


def test_a_packing_that_is_not_known_is_named() -> None:
    with pytest.raises(CourseError, match=r"blobs/sha256/0 begins with 04 22 4d 18"):
        layers.parse(saved({"a": b"1"}, pack=lz4))


@pytest.mark.parametrize("manifest", [b"null", b"{}", b'["x"]', b"[null]", b'[{"Config": "c"}]'])
def test_a_manifest_that_describes_no_image_is_said(manifest: bytes) -> None:
    with pytest.raises(CourseError, match="cannot be read"):
        layers.parse(io.BytesIO(tar({"manifest.json": manifest, "c": b"[]"})))


def test_a_step_without_a_name_has_none() -> None:
    config = {"rootfs": {"diff_ids": ["x"]}, "history": [{"created_by": None}]}
    manifest = json.dumps([{"Config": "c", "Layers": ["l"]}]).encode()
    files = {"manifest.json": manifest, "c": json.dumps(config).encode(), "l": tar({"a": b"1"})}
    assert [layer.by for layer in layers.parse(io.BytesIO(tar(files)))] == [""]


def test_a_layer_that_is_not_in_the_file_is_named() -> None:
    config = json.dumps({"rootfs": {"diff_ids": ["sha256:0"]}}).encode()
    manifest = json.dumps([{"Config": "c", "Layers": ["foreign"]}]).encode()
    with pytest.raises(CourseError, match="names foreign and does not have it"):
        layers.parse(io.BytesIO(tar({"manifest.json": manifest, "c": config})))


def broken(data: bytes) -> bytes:
    """The second member's header has another checksum."""
    return data[:1024] + b"?" + data[1025:]


def cut_short(data: bytes) -> bytes:
    return data[:1200]


DAMAGES: list[Callable[[bytes], bytes]] = [
    broken,
    cut_short,
    lambda data: gzip.compress(data)[:-30],
    lambda data: zstandard.compress(data)[:40],
    lambda data: lzma.compress(data)[:100],
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_layer_is_an_error_and_not_a_clean_image(
    damage: Callable[[bytes], bytes],
) -> None:
    with pytest.raises(CourseError, match="cannot be read"):
        layers.parse(saved({"a": b"1", "b/.env": b"secret" * 200}, pack=damage), find=(b"secret",))


def test_an_image_that_docker_cannot_save_is_named() -> None:
    import docker.errors

    def save(**_: Any) -> Any:
        raise docker.errors.APIError("500", explanation="content digest sha256:1: not found")

    image = SimpleNamespace(attrs={"RootFS": {"Layers": ["sha256:0"]}}, save=save)
    client = SimpleNamespace(images=SimpleNamespace(get=lambda _: image))
    with pytest.raises(CourseError, match=r"`docker save x:1` fails: content digest"):
        layers.read(client, "x:1")


def image(layers: list[str], history: list[tuple[str, int]]) -> Any:
    steps = [{"CreatedBy": by, "Size": size} for by, size in reversed(history)]
    return SimpleNamespace(attrs={"RootFS": {"Layers": layers}}, history=lambda: steps)


BASE = image(["a"], [("", 100), ("ENV A=1", 0)])


def test_layers_of_the_base_are_told_from_those_above_it() -> None:
    own = image(
        ["a", "b"], [("", 100), ("ENV A=1", 0), ("RUN |1 V=2 /bin/sh -c npm ci # buildkit", 7)]
    )
    assert image_layers(own, BASE) == [
        Piece("Debian's files", 100, True),
        Piece("RUN npm ci", 7, False),
    ]


def test_an_image_on_another_base_has_layers_of_its_own_only() -> None:
    other = image(["x", "b"], [("COPY /bare / # buildkit", 5), ("COPY /app /app # buildkit", 2)])
    assert [piece.base for piece in image_layers(other, BASE)] == [False, False]
    imported = image(["x"], [("", 5)])  # `docker import` names no step
    assert image_layers(imported, BASE) == [Piece("files of no step", 5, False)]
