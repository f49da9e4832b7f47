"""What there is to prove: each thing that runs on the engine and has to pass there.

The things of a course are listed without an engine and without importing what they are made of:
answers are read from the texts of the banks.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from course.core.errors import CourseError
from course.core.manifest import Lesson, Manifest

BANK = "tests/bank"
"""The folder of the banks: one module a lesson, and the test that judges their answers."""
JUDGE = f"{BANK}/test_bank.py"
_LAB = f"{JUDGE}::test_an_unsolved_lab_runs_to_its_end_and_passes_nothing"
_ANSWER = f"{JUDGE}::test_an_answer_is_judged_for_its_true_cause"


class Kind(StrEnum):
    """What sort of thing it is."""

    SOLUTION = "solution"
    ANSWER = "answer"
    LESSON = "lesson"
    LAB = "lab"
    """The exercises of a lesson, unsolved."""
    CLUSTER = "cluster"
    """A file of tests/cluster."""
    BROWSER = "browser"
    """A file of tests/browser."""


FOLDERS = {Kind.LESSON: "notebooks", Kind.LAB: "labs", Kind.SOLUTION: "solutions"}
"""Where the notebook of such a thing is, named by its lesson's stem."""


@dataclass(frozen=True)
class Thing:
    """One thing to prove.

    Args:
        kind: what sort it is.
        name: a notebook's stem; of an answer `containers-1: …`; of a file of tests its path.
        stem: the lesson that it belongs to, empty for none.
        node: what pytest is given.
        proves: whether `make test` has to judge it; other answers are `make test-all`'s.
    """

    kind: Kind
    name: str
    stem: str = ""
    node: str = ""
    proves: bool = True


@dataclass(frozen=True)
class Listed:
    """One answer, as its bank's text has it.

    Args:
        name: what it is, in a few words.
        kind: as in `tests.bank.KINDS`.
        path: the observation path that it is marked for; empty if it is not marked.
    """

    name: str
    kind: str
    path: str = ""


def module_of(stem: str) -> str:
    """The name of the module of a lesson's exercises, which its bank has too."""
    return stem.partition("-")[2].replace("-", "_")


def things(root: Path, course: Manifest) -> list[Thing]:
    """Everything that there is to prove, in the order of the course.

    Args:
        root: the clone.
        course: its manifest.

    Returns:
        Of each lesson its solution, its answers, the lesson, its lab; then the files of tests.

    Raises:
        CourseError: a lesson has no bank, or a bank cannot be read.
    """
    found = [thing for lesson in course.lessons for thing in _of_lesson(root, lesson)]
    for kind in (Kind.CLUSTER, Kind.BROWSER):
        files = sorted((root / "tests" / kind).glob("test_*.py"))
        names = [file.relative_to(root).as_posix() for file in files]
        found += [Thing(kind, name, node=name) for name in names]
    return found


def _of_lesson(root: Path, lesson: Lesson) -> Iterator[Thing]:
    stem = lesson.stem
    yield Thing(Kind.SOLUTION, stem, stem, f"{FOLDERS[Kind.SOLUTION]}/{stem}.ipynb")
    bank = answers(root, lesson)
    for exercise in lesson.exercises:
        listed = bank[exercise.id]
        proving = proved(listed)
        for answer in listed:
            node = f"{_ANSWER}[{exercise.id}-{_escaped(answer.name)}]"
            name = f"{exercise.id}: {answer.name}"
            yield Thing(Kind.ANSWER, name, stem, node, answer in proving)
    yield Thing(Kind.LESSON, stem, stem, f"{FOLDERS[Kind.LESSON]}/{stem}.ipynb")
    yield Thing(Kind.LAB, stem, stem, f"{_LAB}[{stem}]")


def proved(listed: list[Listed]) -> list[Listed]:
    """The answers of one exercise that `make test` judges.

    Those that are marked with an observation path. Where none is: the solution's own and the first
    wrong one, so that each check is seen to accept and to refuse.

    Args:
        listed: all answers of the exercise.
    """
    marked = [answer for answer in listed if answer.path]
    if marked:
        return marked
    right = ("solution", "alternative")
    solution = [answer for answer in listed if answer.kind == "solution"]
    wrong = [answer for answer in listed if answer.kind not in right]
    return [*solution[:1], *wrong[:1]]


def answers(root: Path, lesson: Lesson) -> dict[str, list[Listed]]:
    """The answers to a lesson's exercises, read from its bank's text.

    Args:
        root: the clone.
        lesson: the lesson.

    Raises:
        CourseError: there is no bank, an exercise is not in it, or an answer's name, kind or path
            is not written out.
    """
    path = f"{BANK}/{module_of(lesson.stem)}.py"
    if not lesson.exercises:
        return {}
    if not (root / path).exists():
        raise CourseError(
            f"{path} is missing",
            f"the answers to {lesson.stem}",
            f"course dev new {lesson.topic} …",
        )
    return _Bank(root, path).answers([exercise.id for exercise in lesson.exercises])


class _Bank:
    """The text of one bank.

    Args:
        root: the clone.
        path: the bank's file in it.
    """

    def __init__(self, root: Path, path: str) -> None:
        self._path = path
        try:
            tree = ast.parse((root / path).read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise self._wrong(error.lineno or 0, f"no Python: {error.msg}") from error
        self._values: dict[str, ast.expr] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._values[node.targets[0].id] = node.value
            elif (
                isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
            ):
                self._values[node.target.id] = node.value

    def answers(self, ids: list[str]) -> dict[str, list[Listed]]:
        """All answers by exercise."""
        bank = self._value(self._values.get("BANK"))
        if not isinstance(bank, ast.Dict):
            raise self._wrong(1, "no BANK")
        entries = {
            key.value: value
            for key, value in zip(bank.keys, bank.values, strict=True)
            if isinstance(key, ast.Constant)
        }
        found = {}
        for id_ in ids:
            if id_ not in entries:
                raise self._wrong(bank.lineno, f"no answers to {id_}")
            found[id_] = self._listed(entries[id_])
        return found

    def _listed(self, node: ast.expr) -> list[Listed]:
        entries = self._value(node)
        if not isinstance(entries, ast.List):
            raise self._wrong(node.lineno, "answers that are no list")
        listed: list[Listed] = []
        for entry in entries.elts:
            if not isinstance(entry, ast.Call):
                raise self._wrong(entry.lineno, "an answer that is not written out")
            answer = self._answer(entry)
            if any(answer.name == other.name for other in listed):
                raise self._wrong(entry.lineno, f"`{answer.name}` twice in one exercise")
            listed.append(answer)
        return listed

    def _answer(self, call: ast.Call) -> Listed:
        by = call.func.id if isinstance(call.func, ast.Name) else ""
        # What makes an answer of edits (tests.bank.edits) is called like the answer's kind.
        places = ("name", "apply", "cause", "kind", "path") if by == "Answer" else ("name",)
        given: Mapping[str, ast.expr] = {
            "kind": ast.Constant(by.replace("_", "-")),
            **dict(zip(places, call.args, strict=False)),
            **{word.arg: word.value for word in call.keywords if word.arg},
        }
        texts = {}
        for name in ("name", "kind", "path"):
            node = given.get(name, ast.Constant(""))
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                raise self._wrong(node.lineno, f"an answer whose {name} is not written out")
            texts[name] = node.value
        return Listed(texts["name"], texts["kind"], texts["path"])

    def _value(self, node: ast.expr | None) -> ast.expr | None:
        """What a name stands for."""
        while isinstance(node, ast.Name):
            node = self._values.get(node.id)
        return node

    def _wrong(self, line: int, what: str) -> CourseError:
        want = "BANK: exercise id → a list of Answer(name, apply, cause, kind), texts written out"
        return CourseError(f"{self._path}, line {line}: {what}", want, "")


def _escaped(name: str) -> str:
    """An answer's name as pytest writes it into a test's id."""
    return name.encode("unicode_escape").decode("ascii")
