"""course.artifacts.images: the catalogue, and which image is taken, pulled or made."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.artifacts import fetch, images, pulls
from course.core.errors import CourseError
from course.core.machine import arch
from course.core.process import FakeRunner
from tests.calls import changed

INSPECT = "docker image inspect"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No network was tried yet, and what is missing can be assembled."""
    monkeypatch.delenv("COURSE_OFFLINE", raising=False)
    monkeypatch.setattr(fetch, "_unreached", {})
    monkeypatch.setattr(pulls, "_unreached", [])
    monkeypatch.setattr(images, "can_assemble", lambda: True)


@pytest.mark.parametrize("ref", sorted(images.catalogue()))
def test_every_entry_is_complete(ref: str) -> None:
    image = images.catalogue()[ref]
    assert image.upstream.endswith(ref)
    assert (images.RECIPES / image.recipe / "Dockerfile").exists()
    assert set(image.from_) <= set(images.catalogue())
    assert len(images.key(ref)) == 16


def test_a_present_image_is_left_alone() -> None:
    fake = FakeRunner({INSPECT: f"{images.key('node:24-slim')}\n"})
    assert images.ensure("node:24-slim", quiet, runner=fake) == "present"
    assert len(fake.calls) == 1


def test_a_pulled_image_has_no_label_and_is_good() -> None:
    assert images.ensure("node:24-slim", quiet, runner=FakeRunner({INSPECT: "\n"})) == "present"


def test_an_image_of_an_older_recipe_is_made_anew() -> None:
    fake = FakeRunner({INSPECT: "0123456789abcdef\n", "docker pull": "", "docker tag": ""})
    assert images.ensure("node:24-slim", quiet, runner=fake) == "pulled"


def test_where_images_can_be_pulled_nothing_is_compiled() -> None:
    fake = FakeRunner({INSPECT: 1, "docker pull": "", "docker tag": ""})
    for ref in images.catalogue():
        assert images.ensure(ref, quiet, runner=fake) == "pulled"
    pulled = [call[2] for call in fake.calls if call[:2] == ("docker", "pull")]
    assert pulled == [
        f"{image.upstream.rpartition(':')[0]}@{image.digest}" if image.digest else image.upstream
        for image in images.catalogue().values()
    ]
    assert not any("build" in call for call in fake.calls)


def test_an_image_that_is_not_listed_is_refused() -> None:
    with pytest.raises(CourseError, match="no image nginx"):
        images.ensure("nginx", quiet, runner=FakeRunner())


OTHER = {"amd64": "arm64", "arm64": "amd64"}[arch()]


def test_an_image_of_the_catalogue_for_another_processor_is_named(home: Path) -> None:
    fake = FakeRunner({"docker image inspect": f"|{OTHER}\n"})
    with pytest.raises(CourseError, match=f"node:24-slim for another processor: {OTHER}") as caught:
        images.ensure("node:24-slim", quiet, runner=fake)
    assert "docker image rm node:24-slim" in caught.value.try_
    assert changed(fake) == []


@pytest.mark.parametrize("label", ["", images.key("node:24-slim")])
def test_an_image_for_this_processor_is_good(home: Path, label: str) -> None:
    fake = FakeRunner({"docker image inspect": f"{label}|{arch()}\n"})
    assert images.ensure("node:24-slim", quiet, runner=fake) == "present"
