"""course.engine.env_runner: commands get an engine's variables, and this process does not."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from course.core import paths
from course.core.process import RealRunner
from course.engine.env_runner import EnvRunner
from tests.engine.variables import said

ENGINE = paths.ROOT / "src" / "course" / "engine"


def changes(tree: ast.AST) -> list[int]:
    """The lines that change `os.environ`."""
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="environ"), ctx=ast.Store() | ast.Del()):
                found.append(node.lineno)
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="environ"), attr=name)):
                if name in {"update", "pop", "setdefault", "clear", "popitem"}:
                    found.append(node.lineno)
            case ast.AugAssign(target=ast.Attribute(attr="environ")):
                found.append(node.lineno)
            case ast.Call(func=ast.Attribute(attr="putenv" | "unsetenv")):
                found.append(node.lineno)
    return sorted(found)


def test_a_change_of_the_processes_variables_is_seen() -> None:
    lines = ["os.environ['A'] = 'b'", "del os.environ['A']", "os.environ.update({})"]
    lines += ["os.environ |= {}", "os.environ.pop('A')", "os.putenv('A', 'b')"]
    assert changes(ast.parse("\n".join(lines))) == [1, 2, 3, 4, 5, 6]
    assert changes(ast.parse("os.environ['A']; {**os.environ}; os.environ.get('A')")) == []


@pytest.mark.parametrize("file", sorted(ENGINE.rglob("*.py")), ids=lambda file: file.stem)
def test_nothing_of_the_engine_changes_this_processes_variables(file: Path) -> None:
    assert changes(ast.parse(file.read_text())) == []


def test_a_command_gets_the_engines_variables_and_this_process_does_not() -> None:
    reaching = EnvRunner(RealRunner(), {"KUBECONFIG": "/toy/config"})
    assert said(reaching, "KUBECONFIG") == "/toy/config"
    assert said(reaching, "KUBECONFIG", {"KUBECONFIG": "/another"}) == "/another"
    assert os.environ.get("KUBECONFIG") != "/toy/config"


def test_a_command_gets_what_each_layer_adds() -> None:
    reaching = EnvRunner(EnvRunner(RealRunner(), {"COURSE_TOY": "a"}), {"KUBECONFIG": "/toy"})
    assert (said(reaching, "COURSE_TOY"), said(reaching, "KUBECONFIG")) == ("a", "/toy")
