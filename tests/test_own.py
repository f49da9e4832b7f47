"""What the course owns, and what it therefore may remove."""

from __future__ import annotations

from pathlib import Path

import pytest

from course import fetch, images
from course.engines.docker import Docker
from course.run import Completed, FakeRunner


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def test_no_image_carries_the_owners_label(home: Path) -> None:
    # It would be inherited by the learner's own images and containers.
    fake = FakeRunner({"docker build": ""})
    images.build(Path("x"), "x:1", quiet, fake, labels={images.KEY: "abc"})
    words = fake.calls[0]
    assert words[words.index("--label") + 1] == "course.recipe=abc"
    assert images.OWNER not in words


def test_purge_takes_what_the_course_made_or_pulled(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "reachable", lambda host: True)
    absent = FakeRunner({"docker image inspect": 1, "docker pull": "", "docker tag": ""})
    images.ensure("registry:2", quiet, using=absent)
    # Now there: registry:2 (pulled by us), postgres:15 (the learner's own), node:24-slim (made).
    fake = FakeRunner(
        {
            "docker image inspect": 1,
            "docker image inspect registry:2": "\n",
            "docker image inspect postgres:15": "\n",
            "docker image inspect node:24-slim": "0123456789abcdef\n",
            "docker image rm": "",
            "docker volume ls": "course-registry\n",
            "docker volume rm": "",
        }
    )
    Docker(fake).purge()
    removed = [call[-1] for call in fake.calls if call[:3] == ("docker", "image", "rm")]
    assert set(removed) == {
        "registry:2",
        "node:24-slim",
        "course/rootfs:bookworm",
        "course/kind-base:latest",
    }
    assert ("docker", "volume", "rm", "--force", "course-registry") in fake.calls
    listed = next(call for call in fake.calls if call[:3] == ("docker", "volume", "ls"))
    assert f"label={images.OWNER}" in listed


def test_a_command_that_fails_while_removing_does_not_stop_the_rest(home: Path) -> None:
    fake = FakeRunner(
        {
            "docker image inspect": "0123456789abcdef\n",
            "docker image rm": Completed(("docker",), 1, "", "in use"),
            "docker volume ls": "",
        }
    )
    Docker(fake).purge()
    removed = [call for call in fake.calls if call[:3] == ("docker", "image", "rm")]
    assert len(removed) == len(images.catalogue()) + 2
