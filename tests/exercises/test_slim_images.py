"""The checks of 03-slim-images, without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises import slim_images
from course.exercises.kit.verdict import Wrong
from course.measure import layers


class Lab:
    """A copy of a folder, and a container that never ends."""

    id = "slim-images-4"
    docker = None

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.removed: list[str] = []

    def observe(self, _: str) -> Any:
        return nullcontext()

    def copy(self) -> Any:
        made = SimpleNamespace(folder=self._folder, tag="t", nonce="n", build=lambda **_: None)
        return nullcontext(made)

    @contextmanager
    def container(self, ref: str, **_: Any) -> Iterator[Any]:
        try:
            yield SimpleNamespace(exit_code=lambda: None, log=lambda: "as far as it came")
        finally:
            self.removed.append(ref)


def test_a_source_in_another_encoding_is_the_learners_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/server.ts").write_bytes("// für".encode("latin-1"))
    monkeypatch.setattr(layers, "digests", lambda *_: ())
    lab: Any = Lab(tmp_path)
    with pytest.raises(Wrong, match=r"slim-images-4/src/server\.ts is not UTF-8") as wrong:
        slim_images.SmallAndMovesLittle()._moved(lab)
    assert wrong.value.cause == "not-utf8"


def test_a_container_that_does_not_end_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slim_images, "_PRINT_WAIT", 0.0)
    lab: Any = Lab()
    assert slim_images._printed(lab, "till:lab") == "as far as it came"
    assert lab.removed == ["till:lab"]


SECRET = b"planted"


def leaks(*stack: layers.Layer) -> str:
    """The cause for which layers with a planted secret are refused; empty if they are not."""
    plant = slim_images._Plant(3, "one-name", ".env.local", "in the image: {path}", "look")
    lab: Any = Lab()
    try:
        slim_images.ContextSendsNoSecrets()._leaks(lab, [*stack], {SECRET: plant})
    except Wrong as wrong:
        return f"{wrong.cause}: {wrong.saw}"
    return ""


def layer(*entries: layers.Entry, found: tuple[str, ...] = (), **hides: Any) -> layers.Layer:
    return layers.Layer("COPY", entries, found={SECRET: found} if found else {}, **hides)


FILE = layers.Entry("app/.env.local", "file", 7)
HAS = layer(FILE, found=(FILE.path,))


def test_a_secret_is_told_by_the_path_at_which_a_container_sees_it() -> None:
    gone = layer(removed=frozenset({FILE.path}))
    kept = layer(layers.Entry("app/kept", "hard link", target=FILE.path), removed=gone.removed)
    assert leaks(layer(layers.Entry("a", "file", 1))) == ""
    assert leaks(HAS) == "one-name: in the image: /app/.env.local"
    assert leaks(HAS, gone).startswith("kept-below: a later step deletes /app/.env.local")
    assert leaks(HAS, kept) == "one-name: in the image: /app/kept"
    two = layer(FILE, layers.Entry("b", "file", 7), found=(FILE.path, "b"))
    assert leaks(two, gone) == "one-name: in the image: /b"


@pytest.mark.parametrize(
    "later",
    [
        layer(layers.Entry("app", "link", target="tmp")),
        layer(layers.Entry("app", "file", 1)),
        layer(layers.Entry("app", "folder"), emptied=frozenset({"app"})),
    ],
)
def test_what_takes_the_folders_place_leaves_the_secret_below(later: layers.Layer) -> None:
    assert leaks(HAS, later).startswith("kept-below")


def test_a_source_under_a_name_that_is_not_utf8_is_named_in_plain_signs() -> None:
    path = "app/caf\\xe9.ts"
    assert slim_images._not_needed(path) == "source"
    made = layer(layers.Entry(path, "file", 0))
    wrong = slim_images.ShipsWhatRuns()._left("source", path, made, visible=True)
    assert wrong.cause == "sources" and "/app/caf\\xe9.ts" in wrong.saw
    wrong.saw.encode("ascii")


def test_a_base_of_no_layers_is_another_base(monkeypatch: pytest.MonkeyPatch) -> None:
    image = SimpleNamespace(attrs={"RootFS": {"Type": "layers"}}, labels={"a": "b"}, id="x")

    class Bare(Lab):
        docker: Any = SimpleNamespace(images=SimpleNamespace(get=lambda _: image))

        def image(self, _: str) -> Any:
            return image

        def recall(self, name: str) -> str:
            return {"base": '["sha256:1"]', "today": '["sha256:2"]'}.get(name, "sha256:3")

        def copy(self) -> Any:
            return nullcontext(SimpleNamespace(tag="t", build=lambda *_: None))

    monkeypatch.setattr(slim_images, "_tags_moved", lambda _: nullcontext({}))
    lab: Any = Bare()
    with pytest.raises(Wrong) as wrong:
        slim_images.RebuildIsYesterdays().check(lab)
    assert wrong.value.cause == "another-base"
