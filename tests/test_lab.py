"""course.lab: the settings that JupyterLab opens with exist in this JupyterLab."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from course import lab

SCHEMAS = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
OVERRIDES = json.loads((lab._SETTINGS / "overrides.json").read_text())


@pytest.mark.parametrize("plugin", OVERRIDES)
def test_every_setting_is_one_of_jupyterlab(plugin: str) -> None:
    package, name = plugin.split(":")
    schema = json.loads((SCHEMAS / package / f"{name}.json").read_text())
    for setting, value in OVERRIDES[plugin].items():
        known = schema["properties"][setting]
        if "enum" in known:
            assert value in known["enum"]
        kinds = known.get("type", [])
        names = {bool: "boolean", int: "number", str: "string", dict: "object"}
        if kinds:
            found = {"integer"} if type(value) is int else set()
            assert {names[type(value)], *found} & (
                {kinds} if isinstance(kinds, str) else set(kinds)
            ), f"{setting} is {kinds}"


def test_the_plugin_is_where_its_package_says() -> None:
    folder = lab._SETTINGS / "labextensions" / "course"
    about = json.loads((folder / "package.json").read_text())
    assert about["name"] == folder.name
    assert (folder / about["jupyterlab"]["_build"]["load"]).exists()
