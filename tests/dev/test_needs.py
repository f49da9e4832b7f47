"""How much of the engine things need, and how long building that takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.artifacts import images, tools
from course.core import environment, manifest
from course.core.process import FakeRunner
from course.dev import needs
from course.dev.things import Kind, Thing
from course.engine import up
from course.engine.docker import Docker

EVERY = sum(image.cost for image in images.catalogue().values())


def thing(kind: Kind, stem: str = "") -> Thing:
    return Thing(kind, stem or "file", stem)


def test_a_level_is_made_of_what_there_is_and_ends_with_a_step_of_course_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Docker, "answers", lambda _: True)
    tasks = up.tasks(environment.Engine(ports=dict(up.PORTS)), FakeRunner())
    names = [task.name for task in tasks]
    ends = [names.index(level.step) for level in needs.LEVELS]
    assert ends == sorted(ends) and ends[-1] == len(names) - 1
    for level, end in zip(needs.LEVELS, ends, strict=True):
        assert level.gives in {task.gives for task in tasks[: end + 1]}
        assert set(level.images) <= set(images.catalogue())
        assert set(level.tools) <= set(tools.CATALOGUE)


def test_a_lesson_needs_what_it_and_its_exercises_say_and_files_of_tests_need_all() -> None:
    course = manifest.load()
    gives = {
        lesson.stem: needs.LEVELS[needs.level(thing(Kind.LAB, lesson.stem), course)].gives
        for lesson in course.lessons
    }
    assert gives["02-dockerfile"] == "containers"
    assert gives["01-containers"] == gives["11-rolling"] == "cluster"
    assert needs.LEVELS[needs.level(thing(Kind.CLUSTER), course)].gives == "orders"


def test_from_nothing_every_image_and_tool_is_built_and_docker_that_answers_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Docker, "answers", lambda _: False)
    nothing = needs.cost(needs.LEVELS)
    assert EVERY + 430 < nothing < 40 * 60
    assert needs.cost(needs.LEVELS[:1]) < nothing / 2
    (home / "cache" / "docker").mkdir(parents=True)
    assert needs.cost(needs.LEVELS) == pytest.approx(nothing - EVERY - 10 - 70)
    monkeypatch.setattr(Docker, "answers", lambda _: True)
    monkeypatch.setattr(Docker, "host", lambda _: "unix:///x")
    pulled = "|amd64|[]"
    there = FakeRunner({"docker image inspect": pulled})
    assert needs.cost(needs.LEVELS, runner=there) < needs.cost(
        needs.LEVELS, runner=FakeRunner({"docker image inspect": 1})
    )


def test_a_docker_that_cannot_be_asked_stops_no_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Docker, "answers", lambda _: True)
    monkeypatch.setattr(Docker, "host", lambda _: "unix:///x")
    assert needs.cost(needs.LEVELS, runner=FakeRunner()) == 0.0


def test_the_conditions_are_known_before_the_engine_has_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Docker, "answers", lambda _: False)
    monkeypatch.delenv("COURSE_ENGINE", raising=False)
    found = needs.conditions(runner=FakeRunner())
    assert (found.engine, found.image_store, found.kubernetes) == (
        *("kind", "containerd"),
        tools.KUBERNETES,
    )


@pytest.mark.parametrize(
    ("status", "store"),
    [
        ([["driver-type", "io.containerd.snapshotter.v1"]], "containerd"),
        ([["Backing Filesystem", "extfs"]], "graph drivers"),
        (None, "graph drivers"),
    ],
)
def test_dockers_own_words_tell_where_it_keeps_images(status: object, store: str) -> None:
    assert needs.image_store({"DriverStatus": status}) == store
