"""The observation of dockerfile-2, with a builder that does the steps on this machine."""

from __future__ import annotations

from typing import Any

from tests.exercises.local_builder import PACKAGES, Builder, Steps, cause, install, node

GUIDE: Steps = {
    "RUN npm ci": (PACKAGES, install),
    "RUN npm run build": (("tools", "pages", *PACKAGES), node("tools/build.mjs")),
}


def test_the_guide_is_right_where_npm_refuses_the_next_minor_version(built: Any) -> None:
    assert built("dockerfile-2", GUIDE).notes == [
        "it runs on Node v24.19.0; `engines` of 24.20.0 stops the build"
    ]


def test_a_build_that_does_not_read_the_rule_goes_on(built: Any) -> None:
    def lenient(copy: Builder, given: dict[str, str]) -> str:
        copy.write("package.json", (copy.folder / "package.json").read_text().replace("20", "0"))
        return install(copy, given)

    steps = GUIDE | {"RUN npm ci": (PACKAGES, lenient)}
    assert cause(built, "dockerfile-2", steps) == "engines-ignored"


def test_a_registry_that_is_away_is_no_refusal(built: Any) -> None:
    def away(copy: Builder, given: dict[str, str]) -> str:
        return install(copy, given) and "npm error code ENOTFOUND"

    steps = GUIDE | {"RUN npm ci": (PACKAGES, away)}
    assert cause(built, "dockerfile-2", steps) == "build-fails"
