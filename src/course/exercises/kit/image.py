"""What an image holds above the course's bases, layer by layer, hidden files too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from course.core.names import CHECK_IMAGE
from course.core.text import cut
from course.exercises.kit.verdict import Wrong
from course.measure import layers
from course.measure.layers import File, Layer, Piece, image_layers

if TYPE_CHECKING:
    from course.exercises.kit.lab import Lab

NODE = "node:24-slim"
"""The base that most exercises begin from."""
BASES = (NODE, "node:20-slim", "debian:bookworm-slim")
"""Images whose layers are nobody's answer."""
_STEP = 70


@dataclass(frozen=True)
class Held:
    """A file that is in an image and was looked for.

    Args:
        path: where a container sees it; where none does any more, its path in its layer.
        by: the step that made its layer, shortened.
        hidden: whether a later layer hides it from every container.
    """

    path: str
    by: str
    hidden: bool


@dataclass(frozen=True)
class Contents:
    """The layers of an image above the course's bases.

    Args:
        layers: lowest first.
    """

    layers: tuple[Layer, ...]

    @cached_property
    def seen(self) -> dict[str, File]:
        """Path → file, as a container sees these layers."""
        return layers.visible_files(self.layers)

    @cached_property
    def _seen_as(self) -> dict[tuple[int, str], str]:
        """Layer and path of a content → where a container sees it: a hard link may be elsewhere."""
        return {(file.layer, file.path): path for path, file in self.seen.items()}

    def named(self, wanted: Callable[[str], bool]) -> Iterator[Held]:
        """Find files by their paths.

        Args:
            wanted: whether a path, without a leading slash, is one of them.
        """
        return self._held(lambda layer: filter(wanted, layer.files))

    def having(self, text: bytes) -> Iterator[Held]:
        """Find files by a text in them.

        Args:
            text: one of those that `contents` was told to find.
        """
        return self._held(lambda layer: layer.found.get(text, ()))

    def _held(self, paths: Callable[[Layer], Iterable[str]]) -> Iterator[Held]:
        for number, layer in enumerate(self.layers):
            for path in paths(layer):
                at = path if path in self.seen else self._seen_as.get((number, path), "")
                yield Held(at or path, _shortly(layer.by), hidden=not at)


@dataclass(frozen=True)
class Size:
    """Bytes of an image's layers, as `docker history` counts them.

    Args:
        above: of the layers above `node:24-slim`.
        whole: of all layers.
    """

    above: int
    whole: int


def contents(lab: Lab, ref: str, find: Collection[bytes] = ()) -> Contents:
    """Read the layers of an image above the course's bases.

    Args:
        lab: of the exercise.
        ref: the image.
        find: texts to look for in the files (`Contents.having`).

    Raises:
        CourseError: the engine gives the image in a form that cannot be read.
    """
    with lab.observe(f"a look into each layer of {_called(ref)}"):
        known = layers.digests(lab.docker, BASES)
        return Contents(tuple(layers.read(lab.docker, ref, known=known, find=find)))


def size(lab: Lab, ref: str) -> Size:
    """Return the bytes of an image's layers.

    Args:
        lab: of the exercise.
        ref: the image.

    Raises:
        Wrong: there is no such image (`no-image`).
    """
    found = _pieces(lab, ref)
    return Size(sum(p.size for p in found if not p.base), sum(p.size for p in found))


def steps(lab: Lab, ref: str) -> tuple[str, ...]:
    """Return the steps above `node:24-slim` that left something, lowest first.

    Args:
        lab: of the exercise.
        ref: the image.

    Raises:
        Wrong: there is no such image (`no-image`).
    """
    return tuple(piece.by for piece in _pieces(lab, ref) if not piece.base)


def kept_below(held: Held, want: str) -> Wrong:
    """Return the verdict on a file that a later step deletes (`kept-below`).

    Args:
        held: the file, which is hidden.
        want: what the layers may hold.
    """
    saw = f"a later step deletes /{held.path}; the layer of `{held.by}` still has it"
    try_ = "docker history   did the image become smaller by the step that deletes?"
    return Wrong("kept-below", saw=saw, want=want, try_=try_)


def _pieces(lab: Lab, ref: str) -> list[Piece]:
    with lab.observe(f"a look at the layers of {_called(ref)}"):
        return image_layers(lab.image(ref), lab.docker.images.get(NODE))


def _called(ref: str) -> str:
    """How an image is named to learners: they do not know the image of a copy."""
    return "the copy's image" if ref.startswith(f"{CHECK_IMAGE}:") else ref


def _shortly(by: str) -> str:
    return cut(by.replace("/bin/sh -c ", "").replace(" # buildkit", "").strip(), _STEP)
