"""The checks of 03-slim-images, without an engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course import layers
from course.exercises import Wrong, slim_images


class World:
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
    world: Any = World(tmp_path)
    with pytest.raises(Wrong, match=r"slim-images-4/src/server\.ts is not UTF-8") as wrong:
        slim_images.SmallAndMovesLittle()._moved(world)
    assert wrong.value.cause == "not-utf8"


def test_a_container_that_does_not_end_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slim_images, "_PRINT_WAIT", 0.0)
    world: Any = World()
    assert slim_images._printed(world, "till:lab") == "as far as it came"
    assert world.removed == ["till:lab"]
