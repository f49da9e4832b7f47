"""course.engine.local_registry: the registry's name and port, which somebody may already have."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine.local_registry import Registry
from tests.calls import changed
from tests.port_owner import port_owner


@pytest.fixture(params=["something else", "a registry"])
def answering(request: pytest.FixtureRequest) -> Iterator[int]:
    """A port at which somebody answers every request with 200, as a registry does or not."""
    with port_owner(registry=request.param == "a registry") as port:
        yield port


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def registry_of(owner: str, *, running: str = "true") -> FakeRunner:
    """A Docker with a container of the registry's name."""
    inspect = {"docker container inspect": f"{running} {owner}\n"}
    return FakeRunner({"docker image inspect": "\n", **inspect})


@pytest.mark.parametrize("running", ["true", "false"])
def test_a_container_of_the_registrys_name_is_refused_and_left_alone(running: str) -> None:
    fake = registry_of("", running=running)
    with pytest.raises(
        CourseError, match="course-registry that this course did not make"
    ) as caught:
        Registry(5001, fake).ensure(quiet)
    assert "docker rename course-registry" in caught.value.try_
    assert changed(fake) == []


def test_a_registry_of_ours_that_runs_is_left_alone(answering: int) -> None:
    fake, registry = registry_of("course"), Registry(answering, registry_of("course"))
    if registry.answers():
        Registry(answering, fake).ensure(quiet)
        assert changed(fake) == []


def test_a_port_at_which_somebody_else_answers_is_refused(answering: int) -> None:
    fake = FakeRunner({"docker image inspect": "\n", "docker container inspect": 1})
    with pytest.raises(CourseError, match=f"port {answering} is taken") as caught:
        Registry(answering, fake).ensure(quiet)
    assert "course doctor" in caught.value.try_
    assert changed(fake) == []


def test_only_a_registry_is_a_registry(answering: int, request: pytest.FixtureRequest) -> None:
    speaks = "a registry" in request.node.name
    assert Registry(answering, FakeRunner()).answers() is speaks


def test_what_should_be_the_registry_and_is_none(
    answering: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr("course.engine.local_registry._WAIT", 0.1)
    if "something else" in request.node.name:
        with pytest.raises(CourseError, match="is no registry"):
            Registry(answering, registry_of("course")).ensure(quiet)


def test_the_mirror_keeps_docker_hubs_names() -> None:
    fake = FakeRunner({"docker": ""})
    Registry(5001, fake).mirror("postgres:15")
    assert ("docker", "push", "--quiet", "localhost:5001/library/postgres:15") in fake.calls
