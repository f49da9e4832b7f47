"""Sets that are complete: capabilities, public names, commands, and the causes of verdicts."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import course
from course import cli
from course.core import environment, manifest, names
from course.core.errors import CourseError
from course.core.process import FakeRunner
from course.engine import up
from course.engine.docker import Docker
from course.engine.kind import Kind
from course.engine.local_registry import Registry
from tests.conftest import ENGINE
from tests.fake_docker import INFO, FakeDocker

TESTS = Path(__file__).parent
EXERCISES = Path(course.__file__).parent / "exercises"
COMMAND = typer.main.get_command(cli.app)


# Capabilities


def given(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What the engine gives: Docker, a cluster that enforces policies, and the steps of `up`."""
    ports = {"registry": 5001, "http": 8080, "https": 8443}
    engine, fake = environment.Engine("kind", {}, [], ports), FakeRunner({"docker": 1})
    steps = {task.gives for task in up.tasks(engine, fake) if task.gives}
    cluster = Kind(FakeRunner({"kubectl": "1"}), Registry(5001, fake), 8080, 8443)
    with FakeDocker(**{"/info": INFO | {"MemoryLimit": True, "CpuCfsQuota": True}}) as answering:
        monkeypatch.setenv("DOCKER_HOST", answering.host)
        return steps | Docker(fake).capabilities() | cluster.capabilities()


def test_each_capability_that_may_be_asked_for_has_a_reason_for_its_absence() -> None:
    assert set(environment._WHY_NOT) == set(names.CAPABILITIES)


def test_each_capability_that_may_be_asked_for_is_given_by_an_engine(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert given(monkeypatch) == set(names.CAPABILITIES)


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
    assert all(name in caught.value.want for name in names.CAPABILITIES)


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


# Causes


def causes_written() -> Iterator[tuple[str, str]]:
    """Yield each literal that is written as a cause, with its place.

    It is the first argument of `Wrong`, the value of `cause`, or a constant used as one of these.
    A table of what a check plants may name one cause in several rows.
    """
    constants: list[tuple[str, str, str]] = []
    named: set[str] = set()
    for path in sorted(EXERCISES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for value in as_cause(node):
                where = f"{path.relative_to(EXERCISES)}:{value.lineno}"
                if isinstance(value, ast.Constant):
                    yield str(value.value), where
                elif isinstance(value, ast.Name):
                    named.add(value.id)
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and isinstance(node.value, ast.Constant)
            ):
                where = f"{path.relative_to(EXERCISES)}:{node.lineno}"
                constants.append((node.targets[0].id, str(node.value.value), where))
    for name, text, where in constants:
        if name in named and name.strip("_").isupper():
            yield text, where


def as_cause(node: ast.AST) -> list[ast.expr]:
    """Return the expressions that a node takes as a cause; both branches of a condition."""
    match node:
        case ast.Call(func=ast.Name("Wrong"), args=[first, *_]):
            values = [first]
        case ast.keyword("cause", value):
            values = [value]
        case ast.Assign([ast.Name("cause")], value):
            values = [value]
        case ast.Assign([ast.Tuple([ast.Name("cause"), *_])], ast.Tuple([first, *_])):
            values = [first]
        case _:
            values = []
    return [
        branch
        for value in values
        for branch in ([value.body, value.orelse] if isinstance(value, ast.IfExp) else [value])
    ]


def test_each_cause_is_written_once() -> None:
    """So one code has one meaning: what two exercises share, they share by a constant."""
    places = defaultdict(list)
    for cause, where in causes_written():
        places[cause].append(where)
    assert len(places) > 140
    assert {cause: found for cause, found in places.items() if len(found) > 1} == {}


def test_each_cause_is_a_code() -> None:
    written = {cause for cause, _ in causes_written()}
    assert [cause for cause in written if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", cause)] == []


def test_each_cause_of_the_banks_is_a_text_of_the_exercises() -> None:
    """Also one that a row of a table brings."""
    texts = {
        node.value
        for path in EXERCISES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    banks = [importlib.import_module(f"tests.bank.{lo.module}") for lo in manifest.load().lessons]
    answers = [answer for bank in banks for some in bank.BANK.values() for answer in some]
    assert {answer.cause for answer in answers} - texts - {""} == set()
