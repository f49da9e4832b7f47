"""course.artifacts.docker_context: what the docker command says of its Docker."""

from __future__ import annotations

import pytest

from course.artifacts import docker_context
from course.core.process import CommandError, Completed, FakeRunner

ASKED = "docker context inspect"


def test_the_address_is_what_docker_says() -> None:
    assert docker_context.address(FakeRunner({ASKED: "unix:///x.sock\n"})) == "unix:///x.sock"


def test_a_docker_that_does_not_know_gives_no_address() -> None:
    assert docker_context.address(FakeRunner({ASKED: Completed(("docker",), 1, "\n", "?")})) == ""


def test_a_docker_that_hangs_is_told_and_not_passed_over() -> None:
    hangs = CommandError(Completed(("docker",), -9), "did not end within 20 s")
    with pytest.raises(CommandError, match="20 s"):
        docker_context.address(FakeRunner({ASKED: hangs}))
