"""The observation of dockerfile-1, with a builder that does the steps on this machine."""

from __future__ import annotations

from typing import Any

from tests.exercises.local_builder import (
    PACKAGES,
    Builder,
    Steps,
    cause,
    doing_first,
    install,
    install_with_scripts,
    node,
    taking,
)

INDEX = node("tools/index.mjs")
STOPS: Steps = {
    "RUN npm ci": (PACKAGES, install_with_scripts),
    "RUN node tools/index.mjs": (("tools", "data"), INDEX),
}


def test_stops_are_right_where_each_step_takes_its_own_input(built: Any) -> None:
    assert built("dockerfile-1", STOPS).notes


def test_a_step_that_may_not_run_again_is_the_cause(built: Any) -> None:
    assert cause(built, "dockerfile-1", taking("", STOPS)) == "install-again"


def test_the_index_above_the_install_is_seen_by_an_edit_of_the_data(built: Any) -> None:
    assert cause(built, "dockerfile-1", dict(reversed(STOPS.items()))) == "install-after-data"


def test_an_install_without_scripts_is_seen_by_what_it_leaves(built: Any) -> None:
    last = {"RUN npm ci --ignore-scripts": (("",), install)}
    steps = {"RUN node tools/index.mjs": STOPS["RUN node tools/index.mjs"]}
    assert cause(built, "dockerfile-1", steps | last) == "install-again"


def test_an_index_that_is_made_once_does_not_know_the_new_stop(built: Any) -> None:
    def once(copy: Builder, given: dict[str, str]) -> str:
        return "" if (copy.folder / "index.json").exists() else INDEX(copy, given)

    steps = STOPS | {"RUN node tools/index.mjs": (("tools", "data"), once)}
    assert cause(built, "dockerfile-1", steps) == "stale-index"


def test_an_index_of_as_many_lines_is_made_again_for_a_renamed_stop(built: Any) -> None:
    known: set[int] = set()

    def by_lines(copy: Builder, given: dict[str, str]) -> str:
        lines = len((copy.folder / "data/stops.txt").read_text().splitlines())
        if lines in known:
            return ""
        known.add(lines)
        return INDEX(copy, given)

    steps = STOPS | {"RUN node tools/index.mjs": (("tools", "data"), by_lines)}
    assert cause(built, "dockerfile-1", steps) == "stale-index"


def test_an_index_at_the_start_is_seen_though_the_start_goes_on(built: Any) -> None:
    files = {"start.mjs": doing_first("tools/index.mjs", "src/server.mjs")}
    found = cause(built, "dockerfile-1", STOPS, files, command="start.mjs")
    assert found == "indexes-at-start"


def test_packages_that_were_installed_elsewhere_are_not_those_of_the_lock_file(built: Any) -> None:
    def unpacked(copy: Builder, given: dict[str, str]) -> str:
        failed = install(copy, given)
        copy.write("node_modules/ms/package.json", '{"version": "2.1.2", "type": "commonjs"}')
        return failed

    steps = STOPS | {"RUN npm ci": (PACKAGES, unpacked)}
    assert cause(built, "dockerfile-1", steps) == "lock-ignored"
