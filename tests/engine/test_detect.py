"""course.engine.detect: which engine this machine gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core import environment, paths
from course.core.errors import CourseError
from course.core.process import FakeRunner, RealRunner
from course.engine import detect
from course.engine.docker import Docker
from tests.engine.variables import said

PORTS = {"registry": 5001, "http": 8080, "https": 8443}
HOST = "unix:///toy.sock"


def choose(env: dict[str, str], *, docker: bool, install: bool) -> str:
    return detect.choose(env, docker_answers=lambda: docker, may_install=lambda: install)


@pytest.mark.parametrize(("docker", "install"), [(True, True), (True, False), (False, True)])
def test_kind_wherever_docker_is_or_can_be(docker: bool, install: bool) -> None:
    assert choose({}, docker=docker, install=install) == "kind"
    assert choose({"COURSE_ENGINE": "kind"}, docker=docker, install=install) == "kind"


def test_no_docker_and_no_right_to_install_one() -> None:
    with pytest.raises(CourseError) as caught:
        choose({}, docker=False, install=False)
    assert "no Docker answers" in caught.value.saw and "Install Docker" not in caught.value.saw


def test_an_engine_that_is_not_known_is_named() -> None:
    with pytest.raises(CourseError, match="COURSE_ENGINE is `podman`"):
        choose({"COURSE_ENGINE": "podman"}, docker=True, install=True)


def test_where_the_cluster_is_reached_the_learners_kubeconfig_is_not(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/the/learners/own")
    ours = detect.cluster(environment.Engine("kind", ports=PORTS), RealRunner())
    assert said(ours.runner, "KUBECONFIG") == str(paths.kubeconfig())


def test_an_engine_of_another_version_of_the_course_is_named(home: Path) -> None:
    of = environment.Engine("embedded", {"DOCKER_HOST": HOST}, ports=PORTS)
    environment.save(of)
    for ask in (lambda: detect.containers(FakeRunner()), lambda: detect.cluster(of, FakeRunner())):
        with pytest.raises(CourseError, match="`embedded` was set up") as caught:
            ask()
        assert caught.value.want == "one of: kind"


def test_what_no_engine_is_recorded_for_is_asked_of_the_one_by_default(home: Path) -> None:
    assert isinstance(detect.containers(FakeRunner()), Docker)
