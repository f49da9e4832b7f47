"""A bundle of a part of the real cache and of a real image, there and back again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.artifacts import bundle, docker_build, fetch, gateway_api, images, tools
from course.core import environment, paths
from course.core.errors import CourseError
from course.core.process import default_runner

REF = "course-bundle-test:1"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def image_id() -> str:
    argv = ["docker", "image", "inspect", REF, "--format", "{{.Id}}"]
    return default_runner().run(argv, timeout=30, check=False).stdout.strip()


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A small image that is the whole catalogue, and its id."""
    for name, value in environment.environment().items():
        monkeypatch.setenv(name, value)
    entry = images.Image(REF, f"docker.io/nobody/{REF}", "registry")
    monkeypatch.setattr(images, "catalogue", lambda: {REF: entry})
    context = tmp_path / "context"
    context.mkdir()
    # Of its own content in every run: nothing of it is in Docker's store already.
    (context / "random").write_bytes(os.urandom(300_000))
    (context / "Dockerfile").write_text("FROM scratch\nCOPY random /random\n")
    docker_build.build(context, REF, quiet, default_runner(), labels={images.KEY: images.key(REF)})
    yield image_id()
    default_runner().run(["docker", "image", "rm", "--force", REF], timeout=60, check=False)


@pytest.fixture
def saved(image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of one tool, one download and the image; after it the cache is empty."""
    buildx = bundle.Need("buildx", tools.places("buildx"))
    crds = bundle.Need("crds", ((gateway_api.crds_file(),),))
    assert buildx.files() and crds.files(), "the engine that is up has both"
    monkeypatch.setattr(bundle, "needs", lambda: [buildx, crds])
    monkeypatch.setattr(bundle, "_images", lambda _: iter([(REF, images.archive(REF))]))
    monkeypatch.setattr(bundle, "_wheels", lambda *_: None)
    monkeypatch.setattr("course.artifacts.debian.is_root_on_debian", lambda: False)
    file = bundle.save(tmp_path / "b.bundle", quiet)
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path / "empty"))
    # The checksum that root gives is remembered there.
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    again = [
        bundle.Need("buildx", tools.places("buildx")),
        bundle.Need("crds", ((gateway_api.crds_file(),),)),
        bundle.Need("image", ((images.archive(REF),),)),
    ]
    monkeypatch.setattr(bundle, "needs", lambda: again)
    return file


def test_tools_and_an_image_come_back_out_of_the_file_alone(saved: Path, image: str) -> None:
    default_runner().run(["docker", "image", "rm", "--force", REF], timeout=60)
    assert image_id() == ""
    loaded = bundle.load(saved, quiet, fetch.digest(saved))
    assert (loaded.new, loaded.unused, loaded.lacking) == (3, (), ())
    found = tools.ensure("buildx", quiet)["docker-buildx"]
    assert found.is_relative_to(paths.cache())
    assert tools.BUILDX in default_runner().run([found, "version"], timeout=30).stdout
    assert "kind: CustomResourceDefinition" in gateway_api.crds_file().read_text()
    assert images.ensure(REF, quiet) == "bundle"
    assert image_id() == image
    assert images.ensure(REF, quiet) == "present"


def test_an_archive_that_was_damaged_in_the_cache_never_reaches_docker(
    saved: Path, image: str
) -> None:
    bundle.load(saved, quiet, fetch.digest(saved))
    default_runner().run(["docker", "image", "rm", "--force", REF], timeout=60)
    with images.archive(REF).open("r+b") as archive:
        archive.seek(1000)
        archive.write(b"\xff")
    with pytest.raises(CourseError, match=f"copy of {REF} in the cache"):
        images.ensure(REF, quiet)
    assert image_id() == ""
