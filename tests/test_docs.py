"""docs/ and .github/: what they say of the tree is so, and forges can read the forms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from course.core import paths

PACKAGE = paths.ROOT / "src" / "course"
ADRS = sorted((paths.ROOT / "docs" / "adr").glob("*.md"))
FORMS = sorted((paths.ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
SECTION = re.compile(r"^### (?:course|(\w+/))$\n(.*?)(?=^#)", re.MULTILINE | re.DOTALL)


def modules_in_the_tree() -> Iterator[str]:
    """Yield each module as the page names it; a package as `measure/traffic/`."""
    for path in PACKAGE.rglob("*.py"):
        inside = path.relative_to(PACKAGE)
        if path.name != "__init__.py":
            yield inside.with_suffix("").as_posix()
        elif len(inside.parts) != 2:  # A wing is named by its heading.
            yield f"{inside.parent.as_posix()}/" if len(inside.parts) > 1 else "__init__"


def modules_on_the_page() -> Iterator[str]:
    """Yield each module that the first column of a wing's table names."""
    page = (paths.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for wing, body in SECTION.findall(page):
        for row in re.findall(r"^\| (`.+?) \|", body, re.MULTILINE):
            for name in re.findall(r"`(.+?)`", row):
                yield wing + name


def test_the_architecture_names_each_module_once() -> None:
    page, tree = Counter(modules_on_the_page()), set(modules_in_the_tree())
    assert sorted(tree - set(page)) == [], "no row in docs/architecture.md"
    assert sorted(set(page) - tree) == [], "a row for a module that is not there"
    assert [name for name, rows in page.items() if rows > 1] == []


def test_the_architecture_has_a_row_and_a_table_for_each_wing() -> None:
    page = (paths.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    wings = {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}
    assert {wing for wing, _ in SECTION.findall(page)} == {"", *wings}
    assert set(re.findall(r"^\| `(\w+/)` \| .+ \| .+ \|$", page, re.MULTILINE)) >= wings


def test_decisions_are_numbered_without_a_gap_and_titled_with_their_number() -> None:
    titles = [path.read_text(encoding="utf-8").splitlines()[0] for path in ADRS]
    for number, (path, title) in enumerate(zip(ADRS, titles, strict=True), 1):
        assert path.name.startswith(f"{number:04}-")
        assert title.startswith(f"# {number}. ")


def test_there_is_a_form_for_a_bug_a_confusion_and_an_idea() -> None:
    assert {path.stem for path in FORMS} >= {"bug", "confusion", "idea"}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_of_an_issue_is_one_that_forges_accept(path: Path) -> None:
    form: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form) <= {"name", "description", "body", "labels"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert fields
    for field in form["body"]:
        assert set(field) <= {"type", "id", "attributes", "validations"}
        assert field["type"] in {"markdown", "input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"]["value" if field["type"] == "markdown" else "label"]
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids) and all(re.fullmatch(r"[\w-]+", id_) for id_ in ids)
    labels = [field["attributes"]["label"] for field in fields]
    assert len(set(labels)) == len(labels)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_the_form_for_a_bug_asks_for_a_report_and_says_what_it_holds() -> None:
    form = yaml.safe_load((paths.ROOT / ".github/ISSUE_TEMPLATE/bug.yml").read_text("utf-8"))
    asked = {f["id"]: f["attributes"].get("description", "") for f in form["body"] if "id" in f}
    assert {"lesson", "seen", "expected", "report"} == set(asked)
    for part in ("`course doctor --report", "It holds", "It never holds"):
        assert part in asked["report"]
