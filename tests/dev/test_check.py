"""course.dev.check: every rule broken once."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.core import paths
from course.dev import build, check
from tests.bank import Answer, containers
from tests.mini_course import mini as bank

LESSON = Path("content/01-mini.md")
LAB = Path("content/01-mini.lab.md")


def problems(root: Path) -> list[str]:
    return check.problems(root, bank="tests.mini_course")


def edit(root: Path, path: Path | str, old: str, new: str, *, rebuild: bool = True) -> None:
    text = (root / path).read_text()
    assert old in text
    (root / path).write_text(text.replace(old, new, 1))
    if rebuild:
        build.write(root)


def test_the_course_itself_has_none() -> None:
    assert check.problems(paths.ROOT) == []


def test_the_mini_course_has_none(mini: Path) -> None:
    assert problems(mini) == []


@pytest.mark.parametrize(
    ("path", "old", "new", "said"),
    [
        (
            LESSON,
            "1 + 1",
            "from course.core import paths",
            "imports `course.core.paths`; a lesson imports",
        ),
        (LESSON, "%%bash -euo pipefail", "%%bash", "hides errors; want `%%bash -euo pipefail`"),
        (LESSON, "1 + 1", "!ls", "`!ls` hides its exit code"),
        (LESSON, "1 + 1", "compare('x', 1, unit='s')", "compare('x', unit='s') without predict"),
        (LESSON, "1 + 1", "%%sh\nls", "`%%sh`: want"),
        (LESSON, "../labs/01-mini.ipynb", "../labs/02-mini.ipynb", "is not there"),
        (LAB, 'begin("mini-1")', 'begin("mini-9")', "mini-1: the lab has no begin"),
        (LAB, '  echo word > "$folder/word.txt"\n', "", "has a stub"),
        (LAB, ":tags: [check]\n\n", "", "a check without the tag `check`"),
        ("course.toml", 'hints = ["ls -l", ', "hints = [", "mini-2 has 1 hints; want 2"),
    ],
)
def test_a_rule_that_is_broken_is_named(
    mini: Path, path: Path | str, old: str, new: str, said: str
) -> None:
    edit(mini, path, old, new)
    if said == "has a stub":
        edit(mini, LAB, "  # BEGIN SOLUTION: write the word\n  # END SOLUTION\n", "")
        said = "mini-1: its stub is its own solution"
    assert any(said in problem for problem in problems(mini)), problems(mini)


def test_drift_is_named(mini: Path) -> None:
    edit(mini, LESSON, "hello", "goodbye", rebuild=False)
    assert problems(mini) == [
        "notebooks/01-mini.ipynb is not what its source makes: course dev build"
    ]
    (mini / "notebooks" / "01-mini.ipynb").unlink()
    assert problems(mini) == ["notebooks/01-mini.ipynb is missing: course dev build"]


def test_a_file_that_is_not_listed_is_named(mini: Path) -> None:
    (mini / "content" / "07-draft.md").write_text("")
    (mini / "solutions" / "07-draft.ipynb").write_text("{}")
    assert problems(mini) == [
        "content/07-draft.md is not listed in course.toml",
        "solutions/07-draft.ipynb is not listed in course.toml",
    ]


def test_an_exercise_has_each_way_to_pass_too_easily_or_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = [a for a in containers.BANK["containers-1"] if a.kind != "forged"]
    monkeypatch.setitem(containers.BANK, "containers-1", kept[:-2])
    why = {"works-once": "there is one"}
    monkeypatch.setitem(containers.CANNOT, "containers-1", why)
    assert check.problems(paths.ROOT) == [
        "containers-1 has 2 right answers beside the solution; want 3",
        *(
            f"containers-1: want either a wrong answer of the kind `{kind}`, or in CANNOT why "
            "there is none"
            for kind in ("forged", "works-once")
        ),
    ]


def test_a_bank_that_is_too_small_is_named(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = bank.BANK["mini-1"][0]
    again = Answer("again", one.apply, one.cause, "stale")
    right = [Answer(kind, one.apply, "", kind) for kind in ("solution", "alternative")]
    monkeypatch.setitem(bank.BANK, "mini-1", [one, again, *right])
    assert problems(mini) == [
        "mini-1 has 2 wrong answers; want 4 or more",
        "mini-1 has 1 right answers beside the solution; want 3",
    ]
    assert check.problems(mini, bank="tests.nowhere") == [
        "01-mini has no bank: tests/nowhere/mini.py"
    ]


def test_a_manifest_that_does_not_parse_is_the_only_problem(mini: Path) -> None:
    edit(mini, "course.toml", "title =", "title", rebuild=False)
    assert len(problems(mini)) == 1 and "course.toml" in problems(mini)[0]


def test_the_map_in_the_readme_must_be_current(mini: Path) -> None:
    (mini / "README.md").write_text("x\n<!-- course-map -->\nold\n<!-- /course-map -->\n")
    assert problems(mini) == ["README.md is not what its source makes: course dev build"]
    build.write(mini)
    assert problems(mini) == []


IMAGES, RELEASES, TOOLS, GO_MOD = (
    "images/images.toml",
    "releases.toml",
    "go/tools.toml",
    "go/kubernetes/go.mod",
)
_LIBRARY = "github.com/docker-library"


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            IMAGES,
            f"{_LIBRARY}/official-images/pull/22206",
            "x",
            "traefik:v3.7.13: no public source",
        ),
        (IMAGES, f"{_LIBRARY}/repo-info/blob/master/repos/tra", "x", "a digest without a public"),
        (IMAGES, "sha256:099e049362", "sha256:099e04936", "kindest/node:v1.36.4: its digest"),
        (IMAGES, '"kindest/node:v1.36.4"', '"kindest/node:v1.36.3"', "and v1.36.3 elsewhere"),
        (RELEASES, "github.com/kubernetes/kubernetes/", "x/", "kubectl: no public source"),
        (RELEASES, "github.com/C5C3/cobaltcore", "x", "kind: checksums without a public source"),
        (RELEASES, "darwin-arm64 = ", "darwin-m4 = ", "darwin-m4"),
        (RELEASES, "v0.38.0/checksums", "checksums", "buildx: its addresses are not of one"),
        (TOOLS, '"v0.38.0"', '"v0.38.2"', "buildx is v0.38.0 in releases.toml and v0.38.2"),
        (TOOLS, '"29.8.1"', '"29.9.0"', "dockerd is 29.8.1 in releases.toml and 29.9.0"),
        (TOOLS, 'gitVersion" = "v1.36.4"', 'gitVersion" = "v1.36.5"', "and v1.36.5 elsewhere"),
        (GO_MOD, "k8s.io/kubernetes v1.36.4", "k8s.io/kubernetes v1.36.2", "and v1.36.2 elsewhere"),
        (GO_MOD, "=> k8s.io/api v0.36.4", "=> k8s.io/api v0.36.3", "and v1.36.3 elsewhere"),
    ],
)
def test_a_catalogue_without_its_sources_or_of_two_versions_is_named(
    tmp_path: Path, name: str, old: str, new: str, said: str
) -> None:
    for file in (IMAGES, RELEASES, TOOLS, GO_MOD):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes((paths.ROOT / "airgap" / file).read_bytes())
    assert list(check._catalogue(tmp_path)) == []
    edit(tmp_path, name, old, new, rebuild=False)
    assert any(said in line for line in check._catalogue(tmp_path)), said
