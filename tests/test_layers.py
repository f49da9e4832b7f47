"""Layers, read from small archives of the form that `docker save` writes."""

from __future__ import annotations

import gzip
import io
import json
import tarfile

import pytest

from course import layers
from course.errors import CourseError


def tar(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as out:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))
    return sink.getvalue()


def saved(*stack: dict[str, bytes], pack: bool = True, history: bool = True) -> io.BytesIO:
    files: dict[str, bytes] = {}
    steps: list[dict[str, object]] = [{"created_by": "ENV A=1", "empty_layer": True}]
    for i, content in enumerate(stack):
        data = tar(content)
        files[f"blobs/sha256/{i}"] = gzip.compress(data) if pack else data
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


STACK = (
    {"bin/sh": b"x" * 10},
    {"app/.env": b"KEY=hidden-text", "app/a.js": b"1", "app/lib/b.js": b"22"},
    {"app/.wh..env": b"", "app/c.js": b"333"},
)


@pytest.mark.parametrize("pack", [True, False])
def test_a_file_that_a_later_step_deletes_is_still_in_its_layer(pack: bool) -> None:
    found = layers.parse(saved(*STACK, pack=pack), find=(b"hidden-text", b"not there"))
    assert [layer.by for layer in found] == ["RUN step 0", "RUN step 1", "RUN step 2"]
    assert found[1].found == {b"hidden-text": "app/.env"}
    assert found[2].found == {}
    assert found[1].size == 18
    assert layers.seen(found) == {"bin/sh": 10, "app/a.js": 1, "app/lib/b.js": 2, "app/c.js": 3}


def test_layers_of_the_base_are_left_out() -> None:
    found = layers.parse(saved(*STACK), known={"sha256:0"})
    assert [layer.by for layer in found] == ["RUN step 1", "RUN step 2"]


def test_a_folder_that_is_removed_takes_what_is_in_it_and_not_its_namesakes() -> None:
    found = layers.parse(saved({"a/b/c": b"1", "a/bc": b"2"}, {"a/.wh.b": b""}))
    assert layers.seen(found) == {"a/bc": 1}


def test_a_folder_that_is_made_anew_hides_what_was_in_it() -> None:
    found = layers.parse(saved({"a/b": b"1", "c": b"2"}, {"a/.wh..wh..opq": b"", "a/d": b"3"}))
    assert layers.seen(found) == {"c": 1, "a/d": 1}


def test_an_image_without_a_history_has_layers_all_the_same() -> None:
    assert [layer.by for layer in layers.parse(saved(*STACK, history=False))] == ["", "", ""]


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, tar({"other": b""})])
def test_what_is_no_image_is_said(content: bytes) -> None:
    with pytest.raises(CourseError, match="cannot be read"):
        layers.parse(io.BytesIO(content))
