"""On which base the images of slim-images-3 stand, and what they print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises import pinned_base
from course.exercises.kit import exercise, moved_tags
from course.exercises.kit.verdict import Wrong
from course.measure.registry_client import Repository
from tests.exercises.image_lab import ImageLab, begin, files, seen


class Bases:
    """What an exercise remembers of yesterday's and today's base."""

    def recall(self, name: str) -> str:
        return {"yesterday's": '["sha256:1", "sha256:2"]', "today's": '["sha256:3"]'}[name]


@pytest.mark.parametrize(
    ("stack", "whose"),
    [
        (["sha256:1", "sha256:2", "sha256:9"], "yesterday's"),
        (["sha256:3", "sha256:9"], "today's"),
        (["sha256:1"], "another"),
        ([], "another"),
    ],
)
def test_an_image_stands_on_the_base_whose_layers_are_its_lowest(
    stack: list[str], whose: str
) -> None:
    lab: Any = Bases()
    built = SimpleNamespace(attrs={"RootFS": {"Type": "layers", "Layers": stack}})
    assert pinned_base._stands_on(lab, built) == whose


def test_a_program_that_does_not_end_is_ended_and_what_it_printed_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = []

    @contextmanager
    def start() -> Iterator[Any]:
        try:
            yield iter([SimpleNamespace(exit_code=lambda: None, log=lambda: "as far as it came")])
        finally:
            ended.append("it")

    monkeypatch.setattr(pinned_base, "_PRINT_WAIT", 0.0)
    lab: Any = SimpleNamespace(observe=lambda _: nullcontext())
    assert pinned_base._printed(lab, start()) == "as far as it came"
    assert ended == ["it"]


@pytest.mark.parametrize("cause", ["no-base", "build-fails"])
def test_only_a_base_that_cannot_be_pulled_is_a_base_of_this_machine(cause: str) -> None:
    def build(*_: object) -> None:
        raise Wrong(cause, saw="line 1", want="", try_="")

    lab: Any = SimpleNamespace(observe=lambda _: nullcontext())
    copy: Any = SimpleNamespace(build=build)
    if cause == "no-base":
        assert pinned_base._rebuild(lab, copy) == "line 1"
        return
    with pytest.raises(Wrong, match=cause):
        pinned_base._rebuild(lab, copy)


def test_both_releases_of_a_base_have_the_same_tags_and_this_machine_keeps_the_older(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, moved = ImageLab("slim-images-3"), list[tuple[str, str]]()
    monkeypatch.setattr(Repository, "digest", lambda *_: f"sha256:{len(lab.commands)}")
    monkeypatch.setattr(Repository, "retag", lambda _, tag, digest: moved.append((tag, digest)))
    begin(lab)
    name = f"localhost:5001/{lab.facts['repository']}"
    assert lab.read("runtime.txt") == f"{name}\n"
    assert lab.read("Dockerfile").startswith(f"FROM {name}:latest\n")
    doing = [" ".join(words[1:3]) for words in lab.commands]
    release = ["build --quiet", "push --quiet"]
    assert doing == [*release, "image rm", *release, f"tag {name}:4.1"]
    assert moved == [("4.1", "sha256:2"), ("latest", "sha256:2")]
    assert lab.facts["yesterday's digest"] == "sha256:5"
    nodes = [word for words in lab.commands for word in words if word.startswith("NODE=")]
    assert nodes == ["NODE=node:24-slim", "NODE=node:20-slim"]


def test_a_rebuild_that_prints_yesterdays_receipts_is_right(
    home: Path, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = ImageLab("slim-images-3")
    lab.facts |= {
        "repository": "runtime-1",
        "yesterday's": '["sha256:1"]',
        "today's": '["sha256:2"]',
    }
    lab.facts |= {"yesterday's digest": "sha256:y", "today's digest": "sha256:t"}
    tags = {"4.1": "sha256:t", "latest": "sha256:t"}
    monkeypatch.setattr(moved_tags, "moved", lambda *_: nullcontext(tags))
    lab.built.id = lab.facts["made"]
    followed, rebuilt, mine = seen(lab)
    assert lab.made.files["till.mjs"] == (files(lab.id) / "till.mjs").read_text()
    assert next(followed.notes()).startswith("2 tags of the base moved")
    assert (rebuilt.ref, mine.ref) == ("", "till:lab")  # type: ignore[attr-defined]
    lab.built.labels = {moved_tags.LABEL: "latest"}
    with pytest.raises(Wrong, match="retagged"):
        exercise.find(lab.id).check(lab)
