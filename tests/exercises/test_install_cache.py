"""The observation of dockerfile-3, with a builder that does the steps on this machine."""

from __future__ import annotations

import json
from typing import Any

from course.exercises import install_cache
from course.exercises.kit.start_files import original
from tests.exercises.local_builder import PACKAGES, Builder, cause, install_with_scripts


def test_greet_is_right_where_only_what_is_new_is_downloaded(built: Any) -> None:
    assert built("dockerfile-3", {"RUN npm ci": (PACKAGES, install_with_scripts)}).notes


def test_what_was_downloaded_before_is_not_had_again(built: Any) -> None:
    def without_cache(copy: Builder, given: dict[str, str]) -> str:
        copy.cache.clear()
        return install_with_scripts(copy, given)

    steps = {"RUN npm ci": (PACKAGES, without_cache)}
    assert cause(built, "dockerfile-3", steps) == "downloads-again"


def test_a_release_names_versions_that_no_other_lock_file_has() -> None:
    came = json.loads(original("dockerfile-3", "package-lock.json"))["packages"]
    for name, known in install_cache.published().items():
        assert len(known) == 3
        assert came[f"node_modules/{name}"]["version"] not in list(known)[:2]
