"""Sets that are complete: capabilities, public names, and commands."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import course
from course import cli
from course.core import environment, manifest
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import up
from course.engine.docker import Docker
from tests.conftest import ENGINE

TESTS = Path(__file__).parent
COMMAND = typer.main.get_command(cli.app)


# Capabilities


def given() -> set[str]:
    """What the engine gives: Docker, a cluster that enforces policies, and the steps of `up`."""
    ports = {"registry": 5001, "http": 8080, "https": 8443}
    engine, fake = environment.Engine("kind", {}, [], ports), FakeRunner({"docker": 1})
    steps = {task.gives for task in up.tasks(engine, fake) if task.gives}
    cluster = up.cluster(engine, FakeRunner({"kubectl": "1"}))
    return steps | Docker(fake).capabilities() | cluster.capabilities()


def test_each_capability_that_may_be_asked_for_has_a_reason_for_its_absence() -> None:
    assert set(environment._WHY_NOT) == set(manifest.CAPABILITIES)


def test_each_capability_that_may_be_asked_for_is_given_by_an_engine(home: Path) -> None:
    assert given() == set(manifest.CAPABILITIES)


def test_a_lesson_asks_for_a_capability_by_name() -> None:
    assert not course.has("cluster")
    environment.save(environment.Engine("kind", {}, ["cluster"]))
    assert course.has("cluster") and not course.has("network-policy")


@pytest.mark.parametrize("ask", [course.has, environment.why_not])
def test_a_capability_that_nobody_knows_is_refused_with_the_nearest(ask: Any) -> None:
    with pytest.raises(CourseError) as caught:
        ask("network_policies")
    assert caught.value.saw == "no capability is called `network_policies`"
    assert caught.value.want == "`network-policy`?"
    with pytest.raises(CourseError) as caught:
        ask("zz")
    assert all(name in caught.value.want for name in manifest.CAPABILITIES)


# Public names


def names_used(path: Path) -> Iterator[str]:
    """Yield the full name of each thing of ours that a file's code uses."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    full: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            full |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            full |= {a.asname or a.name: a.name for a in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            first, dot, rest = ast.unparse(node).partition(".")
            yield full.get(first, first) + dot + rest


def test_each_public_name_is_used_by_a_unit_test() -> None:
    files = [
        path for path in TESTS.rglob("test_*.py") if path.relative_to(TESTS).parts[0] not in ENGINE
    ]
    used = {name for path in files for name in names_used(path)}
    homes = course._HOMES
    assert sorted(homes) == sorted(course.__all__) == course.__all__
    assert [name for name in homes if not {f"course.{name}", f"{homes[name]}.{name}"} & used] == []


def test_no_module_beside_a_public_name_is_called_like_it() -> None:
    beside = {path.stem for path in Path(course.__file__).parent.iterdir()}
    assert beside.isdisjoint(course.__all__)


# Commands


def commands(group: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Yield each command below a group as it is typed, with the command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield " ".join([*path, name]), command


ALL_COMMANDS = dict(commands(COMMAND, "course"))


@pytest.mark.parametrize("typed", ALL_COMMANDS)
def test_the_help_of_each_command_has_an_example_that_it_accepts(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "COLUMNS", "100")
    assert COMMAND.main([*typed.split()[1:], "--help"], standalone_mode=False) == 0
    (example,) = re.findall(r"Example: (.+)", capsys.readouterr().out)
    words = shlex.split(example)
    own = len(typed.split())
    assert words[:own] == typed.split()
    values = ALL_COMMANDS[typed].make_context(typed, words[own:]).params
    if "exercise" in values:
        assert manifest.load().exercise(values["exercise"])
