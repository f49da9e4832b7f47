"""course.artifacts.docker_build: what a build is given, and what it says when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.artifacts import docker_build, images
from course.core.errors import CourseError
from course.core.names import OWNER_LABEL
from course.core.process import Completed, FakeRunner


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def test_a_build_says_what_failed() -> None:
    fake = FakeRunner({"docker build": Completed(("docker",), 1, "", "no such file: package.json")})
    with pytest.raises(CourseError, match=r"package\.json"):
        docker_build.build(Path("x"), "x:1", quiet, fake)


def test_no_image_carries_the_owners_label(home: Path) -> None:
    # It would be inherited by the learner's own images and containers.
    fake = FakeRunner({"docker build": ""})
    docker_build.build(Path("x"), "x:1", quiet, fake, labels={images.KEY: "abc"})
    words = fake.calls[0]
    assert words[words.index("--label") + 1] == "course.recipe=abc"
    assert OWNER_LABEL not in words
