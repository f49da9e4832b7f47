"""course.core.environment: what an engine gives, to this process and to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from course.core import environment, paths
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine.kind import Kind
from course.engine.local_registry import Registry


def cluster(fake: FakeRunner) -> Kind:
    return Kind(fake, Registry(5001, fake), 8080, 8443)


def test_the_variables_of_the_contract(home: Path) -> None:
    with pytest.raises(CourseError, match="engine is not running"):
        environment.environment()
    env = {"DOCKER_HOST": "unix:///x", **cluster(FakeRunner()).environment()}
    environment.save(environment.Engine("kind", env, ["cluster"], {"http": 8080}))
    seen = environment.environment()
    assert set(environment.LESSON_VARIABLES) <= set(seen)
    assert seen["ORDERS_URL"] == "http://orders.localhost:8080"
    assert seen["REGISTRY"] == "localhost:5001"
    assert seen["PATH"].startswith(str(paths.state() / "bin"))
    assert environment.has("cluster") and not environment.has("cgroups")


@pytest.mark.parametrize("work", ["/a/folder/of/theirs", ""])
def test_a_process_gets_the_variables_and_keeps_a_folder_that_it_was_given(
    home: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}))
    monkeypatch.setenv("COURSE_WORK", work) if work else monkeypatch.delenv("COURSE_WORK")
    environment.apply()
    assert os.environ["DOCKER_HOST"] == "unix:///x"
    assert os.environ["COURSE_WORK"] == (work or str(paths.ROOT / "work"))


@pytest.mark.parametrize("path", ["", "/usr/bin::/bin:", None])
def test_no_program_is_looked_for_in_the_folder_in_which_one_stands(
    home: Path, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}))
    monkeypatch.delenv("PATH") if path is None else monkeypatch.setenv("PATH", path)
    first, *rest = environment.environment()["PATH"].split(os.pathsep)
    assert first == str(paths.state() / "bin")
    assert "" not in rest and bool(rest) == (path != "")


@pytest.mark.parametrize("text", ["null", "[]", '{"env": null}', '{"has": {}}', '{"ports": []}'])
def test_an_engine_file_of_another_form_is_no_engine(home: Path, text: str) -> None:
    environment.save(environment.Engine())
    (paths.state() / "engine.json").write_text(text)
    assert environment.current() is None
    with pytest.raises(CourseError, match="engine is not running"):
        environment.environment()


def test_after_down_the_ports_are_kept(home: Path) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "x"}, ["cluster"], {"http": 8081}))
    environment.forget()
    found = environment.current()
    assert found == environment.Engine("kind", {}, [], {"http": 8081})
