"""What a fresh process may load: nobody waits for a library that their command does not use."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib

import pytest

from course.core import paths

TYPER = {
    *("typer", "annotated_doc", "shellingham"),
    # With these it reads a command's arguments.
    *("pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection"),
}
TABLES = {"rich"}
HELP = TABLES | {"markdown_it", "mdurl", "pygments", "attr"}
READING = {
    "list": TABLES,
    "list --json": set(),
    "status": set(),
    "hint containers-1": set(),
    "solution containers-1": set(),
    "env": set(),
    "ledger": set(),
    "--help": HELP,
    "goto --help": HELP,
}
"""The commands that only read, and what each may load beside what typer is made of."""
FACES = [
    "course",
    "course.notebook",
    "course.exercises.kit.check",
    "course.start",
    "course.measure.rollout",
]
PICTURES = (
    "from course import picture, release_picture; "
    "from course.views import COLORS, plot_build_times, plot_layers"
)
EXERCISES = sorted(
    f"course.exercises.{lesson['stem'][3:].replace('-', '_')}"
    for lesson in tomllib.loads((paths.ROOT / "course.toml").read_text())["lessons"]
)
SMALL = {"zstandard", "httptools", "cython_runtime"}
"""Readers that are one shared object each, loaded in a millisecond or two."""


def loaded(code: str) -> set[str]:
    """The packages from elsewhere that a fresh interpreter has loaded after this code."""
    # What an interpreter loads by itself, as Debian's does `sitecustomize`, is the machine's own.
    tell = (
        "import sys; _first = set(sys.modules)\n"
        "import atexit, json\n"
        "atexit.register(lambda: print(json.dumps([*set(sys.modules) - _first])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{tell}\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    modules = json.loads(done.stdout.splitlines()[-1])
    packages = {name.partition(".")[0] for name in modules}
    ours = {"__main__", "course", *sys.stdlib_module_names}
    # Files that CPython and Cython name after the machine and the version.
    machine = ("_sysconfigdata_", "_cython_")
    return {name for name in packages - ours if not name.startswith(machine)}


@pytest.mark.parametrize("module", FACES)
def test_a_face_of_the_package_loads_nothing_from_elsewhere(module: str) -> None:
    assert loaded(f"import {module}") <= SMALL


@pytest.mark.parametrize("module", EXERCISES)
def test_an_exercises_start_and_check_load_their_clients_when_they_call(module: str) -> None:
    assert loaded(f"import {module}") <= SMALL


def test_a_view_loads_what_it_draws_with_before_its_thread_begins() -> None:
    code = (
        "import sys, threading\n"
        "from course.views import TrafficView\n"
        "from tests.feeds import PlayedRun\n"
        "start = threading.Thread.start\n"
        "def begin(thread):\n"
        "    assert 'matplotlib.figure' in sys.modules\n"
        "    return start(thread)\n"
        "threading.Thread.start = begin\n"
        "TrafficView(PlayedRun(seconds=0.2))\n"
    )
    assert "matplotlib" in loaded(code)


def test_pictures_load_matplotlib_when_they_are_drawn() -> None:
    assert loaded(PICTURES) <= SMALL


def test_the_command_itself_loads_typer_and_no_more() -> None:
    assert loaded("import course.cli") <= TYPER


@pytest.mark.parametrize("command", READING)
def test_a_command_that_only_reads_loads_what_it_shows_with(command: str) -> None:
    code = f"import sys; from course.cli import main; sys.argv = {['course', *command.split()]}"
    found = loaded(f"{code}; main()")
    assert "typer" in found
    assert found <= TYPER | READING[command]


def test_reading_a_notebook_compiles_no_grammar() -> None:
    found = loaded("import nbformat")
    assert "jsonschema" in found
    assert "rfc3987_syntax" not in found, "try: make start, or pip uninstall rfc3987-syntax"


def test_the_lock_names_neither_the_grammars_nor_their_compiler() -> None:
    locked = tomllib.loads((paths.ROOT / "uv.lock").read_text())["package"]
    names = {package["name"] for package in locked}
    assert "jsonschema" in names
    assert not names & {"rfc3987-syntax", "lark"}


def test_without_the_grammars_formats_are_checked_as_before_and_iri_is_let_pass() -> None:
    code = (
        "from jsonschema import Draft202012Validator as D\n"
        "def fits(form, text):\n"
        "    return D({'format': form}, format_checker=D.FORMAT_CHECKER).is_valid(text)\n"
        "print([fits('uri', 'no uri'), fits('date-time', 'today'), fits('iri', 'no iri')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == [False, False, True]
