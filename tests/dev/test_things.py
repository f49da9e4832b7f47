"""What there is to prove is listed from texts, and is what pytest finds."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest
from _pytest.compat import ascii_escaped

from course.core import manifest, paths
from course.core.errors import CourseError
from course.dev.things import JUDGE, Kind, Listed, answers, proved, things

BANK = """\
from tests.bank import Answer
_FIRST = [
    Answer("by hand", apply, "stale", "stale"),
    Answer("as in the solution", apply, "", kind="solution"),
]
BANK = {"mini-1": _FIRST, "mini-2": [Answer("d\\u00e9j\\u00e0", apply, "link", "stale")]}
"""


@pytest.fixture
def written(mini: Path) -> Path:
    """The mini course with a bank."""
    (mini / "tests" / "bank").mkdir(parents=True)
    (mini / "tests" / "bank" / "mini.py").write_text(BANK, encoding="utf-8")
    return mini


def listed(root: Path) -> dict[str, list[Listed]]:
    return answers(root, manifest.load(root / "course.toml").lessons[0])


def test_a_lesson_has_a_solution_answers_the_lesson_and_its_lab(written: Path) -> None:
    found = things(written, manifest.load(written / "course.toml"))
    assert [(thing.kind, thing.name) for thing in found] == [
        (Kind.SOLUTION, "01-mini"),
        (Kind.ANSWER, "mini-1: by hand"),
        (Kind.ANSWER, "mini-1: as in the solution"),
        (Kind.ANSWER, "mini-2: déjà"),
        (Kind.LESSON, "01-mini"),
        (Kind.LAB, "01-mini"),
    ]
    assert {thing.stem for thing in found} == {"01-mini"}
    assert found[0].node == "solutions/01-mini.ipynb"
    assert found[4].node == "notebooks/01-mini.ipynb"


def test_an_answers_node_is_written_as_pytest_writes_it(written: Path) -> None:
    found = things(written, manifest.load(written / "course.toml"))
    assert found[3].node.endswith(f"[mini-2-{ascii_escaped('déjà')}]")
    assert found[5].node.endswith("[01-mini]")


def test_the_nodes_name_tests_that_exist() -> None:
    tree = ast.parse((paths.ROOT / JUDGE).read_text(encoding="utf-8"))
    tests = {f"{JUDGE}::{node.name}" for node in tree.body if isinstance(node, ast.FunctionDef)}
    for thing in things(paths.ROOT, manifest.load()):
        node = thing.node.partition("[")[0]
        assert node in tests or (paths.ROOT / node).is_file(), thing


def test_what_makes_an_answer_by_edits_is_called_like_its_kind(written: Path) -> None:
    edited = BANK.replace(
        'Answer("by hand", apply, "stale", "stale")',
        'works_once("by hand", "stale", sub("a", "b"), sub("c", "d"), path="the start")',
    )
    (written / "tests" / "bank" / "mini.py").write_text(edited, encoding="utf-8")
    assert listed(written)["mini-1"][0] == Listed("by hand", "works-once", "the start")


@pytest.mark.parametrize("lesson", manifest.load().lessons, ids=lambda lesson: lesson.stem)
def test_the_answers_of_a_banks_text_are_those_of_the_bank(lesson: manifest.Lesson) -> None:
    bank = importlib.import_module(f"tests.bank.{lesson.module}").BANK
    text = answers(paths.ROOT, lesson)
    assert {id_: [(a.name, a.kind, a.path) for a in those] for id_, those in text.items()} == {
        id_: [(a.name, a.kind, a.path) for a in those] for id_, those in bank.items()
    }


def test_every_exercise_is_proved_by_a_right_and_a_wrong_answer() -> None:
    proving: dict[str, list[bool]] = {}
    for lesson in manifest.load().lessons:
        for id_, those in answers(paths.ROOT, lesson).items():
            proving[id_] = [a.kind in ("solution", "alternative") for a in proved(those)]
    assert all(any(right) and not all(right) for right in proving.values()), proving


def test_marked_answers_prove_in_place_of_the_first_ones() -> None:
    solution, first = Listed("s", "solution"), Listed("first", "stale")
    marked = Listed("m", "wrong-name", "the registry")
    assert proved([first, solution, Listed("other", "alternative")]) == [solution, first]
    assert proved([first, solution, marked]) == [marked]


def test_what_only_test_all_needs_is_not_among_the_things() -> None:
    found = things(paths.ROOT, manifest.load())
    files = {thing.name for thing in found if thing.kind in (Kind.CLUSTER, Kind.BROWSER)}
    assert {"tests/cluster/test_engine.py", "tests/browser/test_lesson.py"} <= files
    assert all(name.split("/")[1] in ("cluster", "browser") for name in files)
    assert len({thing.node for thing in found}) == len(found)


@pytest.mark.parametrize(
    ("text", "saw"),
    [
        ("x = (", "line 1: no Python"),
        ("x = 1", "no BANK"),
        ('BANK = {"mini-1": []}', "no answers to mini-2"),
        ('BANK = {"mini-1": made(), "mini-2": []}', "no list"),
        ('BANK = {"mini-1": [*more], "mini-2": []}', "not written out"),
        ('BANK = {"mini-1": [Answer(f"{x}", a, "", "stale")], "mini-2": []}', "name is not"),
        ('A = Answer("a", b, "", "stale")\nBANK = {"mini-1": [A], "mini-2": []}', "not written"),
        (BANK.replace("by hand", "as in the solution"), "line 4: `as in the solution` twice"),
    ],
)
def test_a_bank_that_cannot_be_read_is_named_with_its_line(
    written: Path, text: str, saw: str
) -> None:
    (written / "tests" / "bank" / "mini.py").write_text(text, encoding="utf-8")
    with pytest.raises(CourseError) as caught:
        listed(written)
    assert caught.value.saw.startswith("tests/bank/mini.py, line ") and saw in caught.value.saw


def test_a_lesson_without_a_bank_is_named(mini: Path) -> None:
    with pytest.raises(CourseError, match=r"tests/bank/mini\.py is missing"):
        listed(mini)
