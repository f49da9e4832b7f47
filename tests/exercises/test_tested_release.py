"""The observation of containers-3, of a registry that plays its part."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from course.exercises.kit import exercise
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from course.measure.registry_client import Repository


def test_who_has_released_the_tested_image_may_give_its_name_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab, code = Lab("containers-3"), exercise.find("containers-3")
    monkeypatch.setattr(Lab, "image", lambda *_: SimpleNamespace(id="sha256:next"))
    monkeypatch.setattr(Lab, "digests", lambda *_: {"1.0": ("sha256:t",)})
    monkeypatch.setattr(Lab, "lost", lambda *_: ())
    monkeypatch.setattr(Lab, "recall", lambda _, name: {"made": "sha256:t", "old": "o"}[name])
    monkeypatch.setenv("REGISTRY", "127.0.0.1:5001")
    code.check(lab)
    monkeypatch.setattr(Lab, "digests", lambda *_: {"1.0": ("o",)})
    with pytest.raises(Wrong) as caught:
        code.check(lab)
    assert caught.value.cause == "tested-replaced"


def test_the_registry_is_asked_for_each_tag(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lab, code = Lab("containers-3"), exercise.find("containers-3")
    image = SimpleNamespace(id="sha256:t")
    served = {
        "1.0": ("sha256:i", {"config": {"digest": "sha256:t"}}),
        "latest": ("sha256:x", {"manifests": [{"digest": "sha256:y"}]}),
        "sha256:y": ("sha256:y", {"config": {"digest": "sha256:z"}}),
    }
    monkeypatch.setattr(Lab, "image", lambda *_: image)
    monkeypatch.setattr(Repository, "names", lambda _: ["1.0", "latest", "gone meanwhile"])
    monkeypatch.setattr(Repository, "manifest", lambda _, tag: served.get(tag))
    monkeypatch.setattr(Lab, "lost", lambda *_: ())
    monkeypatch.setattr(Lab, "recall", lambda _, name: {"made": image.id, "old": "sha256:o"}[name])
    monkeypatch.setenv("REGISTRY", "127.0.0.1:5001")
    code.check(lab)
    assert lab.notes == ["one digest here and there: sha256:t…"]
