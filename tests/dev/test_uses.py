"""What a text uses is read from it, without running it."""

from __future__ import annotations

from pathlib import PurePosixPath
from textwrap import dedent

import pytest

from course.dev.uses import Uses, commands, plain, uses


def read(text: str, path: str = "src/course/engines/kind.py", *, code: bool = False) -> Uses:
    package = path.removeprefix("src/").rpartition("/")[0].replace("/", ".")
    return uses(dedent(text), PurePosixPath(path), package=package, code=code)


def test_imports_count_wherever_they_are_but_not_those_for_a_type_checker() -> None:
    used = read("""
        from typing import TYPE_CHECKING
        import course.rollout as rolling
        if TYPE_CHECKING:
            from course.world import World
        else:
            from course import text
        def late():
            from course import checks
        """)
    assert used.imports == {"course.rollout", "course.text", "course.checks"}


def test_names_are_followed_through_what_they_are_imported_as() -> None:
    used = read("""
        import course
        import course.rollout as r
        from course import pictures as p
        course.setup("x"); r.Rollout; p.table(json.dumps(1))
        """)
    assert used.imports >= {"course.setup", "course.rollout.Rollout", "course.pictures.table"}
    assert not any(name.startswith("json") for name in used.imports)


def test_a_relative_import_begins_at_the_package() -> None:
    assert read("from . import base").imports == {"course.engines.base"}
    assert read("from ..addons import orders").imports == {"course.addons.orders"}
    package = read("from .kind import Kind", "src/course/engines/__init__.py")
    assert package.imports == {"course.engines.kind.Kind"}


def test_a_module_that_is_started_by_name_counts_but_not_one_in_a_docstring() -> None:
    used = read('''
        """Run as `python -m course.unbundle FILE`."""
        argv = [executable, "-m", "course.traffic.worker"]
        line = "python3 -m course.engines.own_root dockerd"
        import_module(f"course.exercises.{module}")
        ''')
    assert {"course.traffic.worker", "course.engines.own_root"} <= used.started
    assert "course.unbundle" not in used.started
    assert "course.exercises" not in used.started


def test_files_that_a_module_names_by_its_own_place_are_its_data() -> None:
    used = read("""
        HERE = Path(__file__).parent / "front"
        STYLE = HERE / "common.css"
        TEMPLATE = Path(__file__).with_suffix(".html")
        PACKAGE = Path(__file__).parents[1]
        ROOT = Path(__file__).resolve().parents[3] / "airgap" / "releases.toml"
        text = (HERE / f"{name}.js").read_text()
        list(PACKAGE.iterdir())
        """)
    folder = PurePosixPath("src/course/engines")
    assert used.data == {folder / "front", folder / "front/common.css", folder / "kind.html"}


def test_a_folder_that_is_only_the_way_to_a_file_is_no_data() -> None:
    used = read("""
        HERE = Path(__file__).parent / "jupyter"
        class Form:
            _esm = HERE / "predict.js"
        """)
    assert used.data == {PurePosixPath("src/course/engines/jupyter/predict.js")}


def test_of_a_face_neither_its_table_nor_what_a_type_checker_sees_is_run() -> None:
    used = read("""
        if TYPE_CHECKING:
            from course.checks import check
        _HOMES = {"check": "course.checks"}
        __all__ = ["check"]
        def __getattr__(name): ...
        """)
    assert used.homes == {"check": "course.checks"}
    assert used.text.strip() == "def __getattr__(name): ..."
    assert not used.imports and not used.started


def test_in_a_test_strings_may_be_python() -> None:
    text = '''
        run(f"""import course; course.predict('{name}')
        from course.widgets import TrafficView
        from tests.feeds import PlayedRun, update
        from course import (
            traffic,
        )""")
        '''
    there = read(text, "tests/browser/test_widgets.py", code=True).imports
    assert there >= {"course.predict", "course.widgets.TrafficView", "course.traffic"}
    assert there >= {"tests.feeds.PlayedRun", "tests.feeds.update"}
    assert not read(text).imports


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("%%bash -euo pipefail\necho 1", ""),
        ("%%capture out\nimport course", "\nimport course"),
        ("if x:\n    !ls\nfiles = !ls", "if x:\n    pass\npass"),
        ("text = (\n    '%s'\n    % name\n)", "text = (\n    '%s'\n    % name\n)"),
        ("this is no Python", ""),
    ],
)
def test_a_cell_is_read_without_its_magics(cell: str, python: str) -> None:
    assert plain(cell) == python


def test_a_command_is_what_its_own_function_runs() -> None:
    found = commands(
        dedent("""
        from course import paths
        app = typer.Typer()
        dev = typer.Typer()
        app.add_typer(dev, name="dev")
        @app.callback()
        def _options(): every()
        @app.command()
        def goto(id): _set(id)
        def _set(id):
            from course import workspace
        def every(): ...
        @app.command(name="list")
        def list_():
            from course import manifest
        @dev.command()
        def build():
            from course import build as build_
        """)
    )
    assert set(found) == {"goto", "list", "dev build"}
    assert read(found["goto"]).imports == {"course.paths", "course.workspace"}
    assert read(found["list"]).imports == {"course.paths", "course.manifest"}
    assert "def every" in found["list"] and "@app.command()" in found["goto"]
