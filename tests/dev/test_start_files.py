"""course.dev.start_files: start files are linted, and what is broken on purpose is named."""

from __future__ import annotations

from pathlib import Path

from course.core import paths
from course.dev import start_files

FILES = paths.ROOT / "src" / "course" / "exercises" / "files"


def test_each_dockerfile_is_linted_without_the_rules_that_it_breaks_on_purpose(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "src/course/exercises/files"
    for name in ("a-1/Dockerfile", "a-2/api/Dockerfile.dev", "a-2/b.Dockerfile", "Dockerfile"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("FROM scratch\n")
    (folder / "hadolint.toml").write_text('["a-1/Dockerfile"]\nDL3002 = "root is what is found"\n')
    *dockerfiles, eslint = start_files.commands(tmp_path, Path("/bin"))
    assert [[str(word) for word in argv[6:]] for argv, _ in dockerfiles] == [
        ["--ignore=DL3002", "a-1/Dockerfile"],
        ["a-2/api/Dockerfile.dev"],
        ["a-2/b.Dockerfile"],
    ]
    assert eslint[1] == folder and Path(str(eslint[0][0])).name == "eslint"


def test_each_exception_is_of_a_file_that_is_there_and_says_why() -> None:
    for name, rules in start_files.exceptions(paths.ROOT).items():
        assert (FILES / name).is_file(), name
        assert rules and all(len(why.split()) > 2 for why in rules.values()), name


def test_a_start_state_has_no_file_of_the_linters() -> None:
    folders = {path.name for path in FILES.iterdir() if path.is_dir()}
    assert {path.name for path in FILES.iterdir()} - folders == {
        "eslint.config.mjs",
        "hadolint.toml",
    }
