"""course.exercises.kit.bases: a judged build takes from images that others can have, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from course.core.process import CommandError, Completed, FakeRunner
from course.exercises.kit import bases, clients
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Wrong
from course.measure import builds
from course.measure.registry_client import Repository

INSPECT = "docker buildx imagetools inspect"
REGISTRY = "localhost:5001"
HUB = 'failed to do request: Head "https://registry-1.docker.io/v2/library/{}": '
OFFLINE = f"ERROR: {HUB.format('kept/manifests/1' * 9)}lookup registry-1.docker.io: no such host\n"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """What registries answer: to all but `alpine:3`, that they do not have it."""
    missing = Completed((), 1, stderr="ERROR: docker.io/library/kept:1: not found\n")
    late = CommandError(Completed((), -1), "no end after 15 s")
    runner = FakeRunner(
        {
            INSPECT: missing,
            f"{INSPECT} alpine:3": "Name: alpine:3",
            f"{INSPECT} away:1": Completed((), 1, stderr=OFFLINE),
            f"{INSPECT} late:1": late,
        }
    )
    monkeypatch.setattr(bases, "default_runner", lambda: runner)
    served = {("runtime", "latest"), ("runtime", "sha256:a"), ("team/runtime", "2")}
    monkeypatch.setattr(
        Repository, "manifest", lambda repo, tag: ("", {}) if (repo.name, tag) in served else None
    )
    return runner


@pytest.mark.parametrize(
    "ref",
    [
        "node:24-slim",
        "node:24-slim@sha256:0",
        "docker/dockerfile:1",
        "alpine:3",
        f"{REGISTRY}/runtime",
        f"{REGISTRY}/runtime:4.1@sha256:a",
        f"{REGISTRY}/team/runtime:2",
    ],
)
def test_what_the_course_brings_or_a_registry_serves_is_everybodys(
    asked: FakeRunner, ref: str
) -> None:
    assert bases.why_only_here(ref, REGISTRY, {}) == ""


@pytest.mark.parametrize(
    ("ref", "why"),
    [
        ("kept:1", "docker.io/library/kept:1: not found"),
        ("away:1", "no such host"),
        ("late:1", "its registry has not answered in 15 s"),
        (f"{REGISTRY}/runtime:3", "the registry does not have it"),
    ],
)
def test_what_no_registry_serves_is_of_this_machine_only(
    asked: FakeRunner, ref: str, why: str
) -> None:
    assert bases.why_only_here(ref, REGISTRY, {}) == why


def test_offline_the_courses_own_images_are_not_asked_for(asked: FakeRunner) -> None:
    bases.why_only_here("debian:bookworm-slim", REGISTRY, {})
    assert asked.calls == []


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch, asked: FakeRunner) -> Lab:
    """A folder whose build takes from an image of the course and from one of this machine."""
    build: Any = builds.Build((), 1, images=("node:24-slim", "alpine:3", "kept:1"))
    monkeypatch.setattr(builds, "run", lambda *_, **__: build)
    monkeypatch.setattr(clients, "env", dict)
    monkeypatch.setenv("REGISTRY", REGISTRY)
    made = Lab("mini-1")
    made.write("Dockerfile", "FROM kept:1\n")
    return made


def test_a_build_of_a_copy_that_needs_an_image_of_this_machine_is_wrong(lab: Lab) -> None:
    with lab.copy() as copy, pytest.raises(Wrong) as told:
        copy.attempt()
    assert told.value.cause == "base-only-here"
    assert "`kept:1`" in told.value.saw


def test_each_image_is_asked_for_once_in_a_check(lab: Lab, asked: FakeRunner) -> None:
    with lab.copy() as copy:
        for _ in range(2):
            with pytest.raises(Wrong):
                copy.attempt()
    asked_for = [argv[-1] for argv in asked.calls]
    assert asked_for.count("alpine:3") == 1


def test_an_exercise_may_allow_any_base_and_says_why(lab: Lab, asked: FakeRunner) -> None:
    with lab.copy(any_base="the base is what the learner makes") as copy:
        assert copy.attempt().images
    assert asked.calls == []


def test_a_build_that_fails_is_told_for_its_own_cause(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = builds.Build((), 1, 0, "no space", images=("kept:1",))
    monkeypatch.setattr(builds, "run", lambda *_, **__: failed)
    with lab.copy() as copy:
        assert copy.attempt() is failed
