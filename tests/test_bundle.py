"""course.bundle: whole, or refused by the name of the part that is wrong."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from course import bundle, images
from course.errors import CourseError
from course.run import Completed, FakeRunner


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


class Save(FakeRunner):
    """A docker that saves images as a word."""

    def run(self, argv, **kwargs):  # type: ignore[no-untyped-def]
        words = [str(a) for a in argv]
        self.calls.append(tuple(words))
        Path(words[words.index("--output") + 1]).write_text(f"image {words[-1]}")
        return Completed(tuple(words), 0)


@pytest.fixture
def saved(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = home / "cache"
    (cache / "tools" / "kind-1").mkdir(parents=True)
    (cache / "tools" / "kind-1" / "kind").write_text("kind")
    (cache / "tools" / ".part-x").mkdir()
    (cache / "packages" / "npm").mkdir(parents=True)
    (cache / "packages" / "npm" / "link").symlink_to("../elsewhere")
    (cache / "downloads").mkdir()
    (cache / "downloads" / "crds.yaml").write_text("crds")
    (cache / "downloads" / "half.part").write_text("half")
    file = bundle.save(home / "b.tar", quiet, using=Save())
    monkeypatch.setenv("COURSE_CACHE", str(home / "empty"))
    return file


def test_what_was_saved_is_found_after_loading(saved: Path, home: Path) -> None:
    assert bundle.load(saved, quiet) == 3 + len(images.catalogue())
    assert (home / "empty" / "tools" / "kind-1" / "kind").read_text() == "kind"
    assert (home / "empty" / "packages" / "npm" / "link").is_symlink()
    assert (home / "empty" / "downloads" / "crds.yaml").read_text() == "crds"
    assert images.archive("registry:2").read_text() == "image registry:2"
    assert not list((home / "empty").rglob("*.part"))
    assert bundle.load(saved, quiet) == 0


def test_an_image_of_a_bundle_is_loaded_and_not_pulled(saved: Path) -> None:
    bundle.load(saved, quiet)
    fake = FakeRunner({"docker image inspect": 1, "docker load": ""})
    assert images.ensure("registry:2", quiet, using=fake) == "bundle"


def rewrite(file: Path, name: str, content: bytes | None) -> None:
    """The same bundle with one part changed or left out."""
    with tarfile.open(file) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(file, "w") as tar:
        for member, old in members:
            new = content if member.name == name else old
            if new is None:
                continue
            member.size = len(new)
            tar.addfile(member, io.BytesIO(new))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"other", "part tools/kind-1.tar is damaged"), (None, "no whole part tools/")],
)
def test_a_part_that_is_wrong_is_named_and_not_used(
    saved: Path, home: Path, content: bytes | None, said: str
) -> None:
    rewrite(saved, "tools/kind-1.tar", content)
    with pytest.raises(CourseError, match=said):
        bundle.load(saved, quiet)
    assert not (home / "empty" / "tools" / "kind-1").exists()


@pytest.mark.parametrize("share", [0.3, 0.99])
def test_a_bundle_that_is_cut_off_is_refused(saved: Path, share: float) -> None:
    with tarfile.open(saved) as tar:
        last = tar.getmembers()[-1]
    saved.write_bytes(saved.read_bytes()[: int((last.offset_data + last.size) * share)])
    with pytest.raises(CourseError):
        bundle.load(saved, quiet)


def test_a_bundle_of_another_processor_is_refused(saved: Path) -> None:
    with tarfile.open(saved) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]
    rewrite(saved, "manifest.json", json.dumps(manifest | {"arch": "riscv64"}).encode())
    with pytest.raises(CourseError, match="is for riscv64"):
        bundle.load(saved, quiet)


def test_what_is_no_bundle_is_refused(home: Path) -> None:
    (home / "x").write_text("no tar")
    with pytest.raises(CourseError, match="no whole bundle"):
        bundle.load(home / "x", quiet)
    with pytest.raises(CourseError, match="is not there"):
        bundle.load(home / "y", quiet)
