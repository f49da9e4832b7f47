"""course.engine.up: what has to be true, in which order, and what of it is out of date."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import environment, locks, paths
from course.core.names import CAPABILITIES
from course.core.process import OWNER, FakeRunner
from course.engine import addons, up
from course.engine import tasks as tasks_
from course.engine.addons import addon
from tests.engine.variables import said


@pytest.fixture
def engine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[environment.Engine]:
    """A course that is up and answers, made by this version of it."""
    of = environment.Engine("kind", {}, ["orders"], {"registry": 5001, "http": 8080, "https": 8443})
    environment.save(of)
    addon.record(up.wanted(of))
    monkeypatch.setattr("course.engine.docker.Docker.answers", lambda _: True)
    monkeypatch.setattr("course.engine.local_registry.Registry.answers", lambda _: True)
    monkeypatch.setattr("course.engine.up.orders.answers", lambda _: True)
    yield of


def test_a_cluster_of_this_version_is_left_alone(engine: environment.Engine) -> None:
    assert up.outdated(engine) == [] and up.complete()


@pytest.mark.parametrize("name", [one.name for one in addons.ALL])
def test_a_changed_add_on_reaches_a_cluster_that_runs(
    name: str, engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = next(one for one in addons.ALL if one.name == name)
    parts = list(changed.made_from())
    object.__setattr__(changed, "made_from", lambda: (*parts, "of another version"))
    try:
        assert up.outdated(engine) == [name] and not up.complete()
    finally:
        object.__setattr__(changed, "made_from", lambda: parts)


def test_what_the_node_is_told_reaches_a_cluster_that_runs(engine: environment.Engine) -> None:
    engine.ports["registry"] = 5002
    environment.save(engine)
    assert up.outdated(engine) == ["node"] and not up.complete()


def test_an_image_that_a_new_version_adds_reaches_a_course_that_runs(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course.engine.up.LESSON_IMAGES", (*up.LESSON_IMAGES, "postgres:15"))
    assert up.outdated(engine) == ["images"] and not up.complete()


def test_a_cluster_of_a_version_that_kept_no_record_is_brought_up_to_date(
    engine: environment.Engine,
) -> None:
    addon.forget()
    assert up.outdated(engine) == ["node", "images", *(one.name for one in addons.ALL)]
    (paths.state() / "applied.json").write_text("[half a fi")
    assert not up.complete()


def test_a_registry_that_has_stopped_is_no_complete_set_up(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("course.engine.local_registry.Registry.answers", lambda _: False)
    assert not up.complete()


def test_what_a_set_up_starts_carries_its_mark_and_this_process_does_not(home: Path) -> None:
    with up.exclusive() as runner:
        assert said(runner, OWNER) == locks.process_key()
        assert OWNER not in os.environ


def test_the_steps_come_in_the_order_in_which_they_are_needed(home: Path) -> None:
    ports = {"registry": 5001, "http": 8080, "https": 8443}
    tasks = up.tasks(environment.Engine("kind", {}, [], ports), FakeRunner({"docker": 1}))
    given = [task.gives for task in tasks if task.gives]
    assert given == ["containers", "cluster", "orders"]
    assert {g for g in given if g != "orders"} <= set(CAPABILITIES)


def test_up_can_stop_when_the_first_lesson_can_be_done(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    tasks = [
        tasks_.Task(n, n, lambda _, n=n: ran.append(n), gives=g)  # type: ignore[misc]
        for n, g in (("docker", ""), ("registry", "containers"), ("cluster", "cluster"))
    ]
    monkeypatch.setattr(up, "engine", environment.Engine)
    monkeypatch.setattr(up, "tasks", lambda *_: tasks)
    up.up(tasks_.Display(), until="containers")
    assert ran == ["docker", "registry"]
