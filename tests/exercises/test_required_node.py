"""The observation of dockerfile-2, with a builder that does the steps on this machine."""

from __future__ import annotations

import re
from typing import Any

from tests.exercises.local_builder import (
    PACKAGES,
    Builder,
    Steps,
    cause,
    doing_first,
    install,
    node,
)

GUIDE: Steps = {
    "RUN npm ci": (PACKAGES, install),
    "RUN npm run build": (("tools", "pages", *PACKAGES), node("tools/build.mjs")),
}


def test_the_guide_is_right_where_npm_refuses_the_next_minor_version(built: Any) -> None:
    (note,) = built("dockerfile-2", GUIDE).notes
    assert re.fullmatch(
        r"it runs on Node v24.19.0; `engines` of [~^]?24\.20\.[0x] stops the build", note
    )


def test_a_build_that_does_not_read_the_rule_goes_on(built: Any) -> None:
    def lenient(copy: Builder, given: dict[str, str]) -> str:
        copy.write("package.json", (copy.folder / "package.json").read_text().replace("20", "0"))
        return install(copy, given)

    steps = GUIDE | {"RUN npm ci": (PACKAGES, lenient)}
    assert cause(built, "dockerfile-2", steps) == "engines-ignored"


def test_a_registry_that_is_away_is_no_refusal(built: Any) -> None:
    def away(copy: Builder, given: dict[str, str]) -> str:
        return install(copy, given) and "npm error code ENOTFOUND engine.io"

    steps = GUIDE | {"RUN npm ci": (PACKAGES, away)}
    assert cause(built, "dockerfile-2", steps) == "build-fails"


def test_a_rule_of_ones_own_need_not_say_why_it_stops(built: Any) -> None:
    def silent(copy: Builder, given: dict[str, str]) -> str:
        return install(copy, given) and " "

    assert built("dockerfile-2", GUIDE | {"RUN npm ci": (PACKAGES, silent)}).notes


def test_pages_whose_names_a_pattern_does_not_know_are_missing(built: Any) -> None:
    def small(copy: Builder, given: dict[str, str]) -> str:
        for page in (copy.folder / "pages").glob("[!a-z]*"):
            page.unlink()
        return node("tools/build.mjs")(copy, given)

    steps = GUIDE | {"RUN npm run build": (("tools", "pages"), small)}
    assert cause(built, "dockerfile-2", steps) == "edit-missing"


def test_pages_that_a_start_makes_are_not_those_of_the_build(built: Any) -> None:
    files = {"start.mjs": doing_first("tools/build.mjs", "server.mjs")}
    found = cause(built, "dockerfile-2", GUIDE, files, command="start.mjs")
    assert found == "pages-at-start"
