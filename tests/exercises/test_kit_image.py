"""course.exercises.kit.image: files are found in layers, whatever a later layer does to them."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises.kit import image
from course.exercises.kit.image import BASES, Contents, Held, Size
from course.measure import layers
from course.measure.layers import Entry, Layer

SECRET = b"planted"
FILE = Entry("app/.env.local", "file", 7)


def layer(*entries: Entry, found: tuple[str, ...] = (), **hides: Any) -> Layer:
    return Layer("COPY . . # buildkit", entries, found={SECRET: found} if found else {}, **hides)


HAS = layer(FILE, found=(FILE.path,))
GONE = layer(removed=frozenset({FILE.path}))


def having(*stack: Layer) -> list[tuple[str, bool]]:
    return [(held.path, held.hidden) for held in Contents(stack).having(SECRET)]


def test_a_text_is_found_at_the_path_where_a_container_sees_it() -> None:
    kept = layer(Entry("app/kept", "hard link", target=FILE.path), removed=GONE.removed)
    two = layer(FILE, Entry("b", "file", 7), found=(FILE.path, "b"))
    assert having(layer(Entry("a", "file", 1))) == []
    assert having(HAS) == [(FILE.path, False)]
    assert having(HAS, GONE) == [(FILE.path, True)]
    assert having(HAS, kept) == [("app/kept", False)]
    assert having(two, GONE) == [(FILE.path, True), ("b", False)]


@pytest.mark.parametrize(
    "later",
    [
        layer(Entry("app", "link", target="tmp")),
        layer(Entry("app", "file", 1)),
        layer(Entry("app", "folder"), emptied=frozenset({"app"})),
    ],
)
def test_what_takes_the_folders_place_hides_what_the_layer_below_still_has(later: Layer) -> None:
    assert having(HAS, later) == [(FILE.path, True)]


def test_a_file_is_found_by_its_path_with_the_step_that_brought_it() -> None:
    stack = (layer(Entry("app/a.ts", "file", 1), Entry("app/b.js", "file", 1)), HAS, GONE)
    (found,) = Contents(stack).named(lambda path: path.endswith(".ts"))
    assert found == Held("app/a.ts", "COPY . .", hidden=False)
    (found,) = Contents(stack).named(lambda path: ".env" in path)
    assert found == Held(FILE.path, "COPY . .", hidden=True)


class Image:
    """An image of Docker's SDK, on `node:24-slim` if its lowest layer is that one's."""

    def __init__(self, *digests: str) -> None:
        self.attrs = {"RootFS": {"Layers": list(digests)}}

    def history(self) -> list[dict[str, Any]]:
        sizes = {"base": 200, "packages": 30, "program": 4}
        return [
            {"CreatedBy": f"RUN {name}", "Size": sizes[name]}
            for name in reversed(self.attrs["RootFS"]["Layers"])
        ]


class Lab:
    """Two images."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.docker = SimpleNamespace(images=SimpleNamespace(get=lambda _: Image("base")))

    def observe(self, label: str) -> Any:
        self.labels.append(label)
        return nullcontext()

    def image(self, ref: str) -> Image:
        return Image(*(["packages"] if ref == "flat:lab" else ["base", "packages", "program"]))


def test_what_the_base_brought_is_not_the_images_own() -> None:
    lab: Any = Lab()
    assert image.size(lab, "tea:lab") == Size(above=34, whole=234)
    assert image.steps(lab, "tea:lab") == ("RUN packages", "RUN program")
    assert image.size(lab, "flat:lab") == Size(above=30, whole=30)


def test_layers_are_read_without_those_of_the_courses_bases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(layers, "digests", lambda _, refs: frozenset(refs))
    monkeypatch.setattr(layers, "read", lambda _, ref, **more: asked.update(more) or [HAS])
    lab: Any = Lab()
    found = image.contents(lab, "course-check:1-tea", (SECRET,))
    assert [held.path for held in found.having(SECRET)] == [FILE.path]
    assert asked == {"known": frozenset(BASES), "find": (SECRET,)}
    assert lab.labels == ["a look into each layer of the copy's image"]
