"""tests.bank.edits: answers made of the solution, up to what an engine would have to do."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from course.core import manifest
from course.core.process import FakeRunner
from course.exercises.kit import exercise
from course.exercises.kit.declared import Declared
from course.exercises.kit.lab import Lab
from tests.bank import Answer, edits

BY_SCRIPT = [
    (id_, answer)
    for lesson in manifest.load().lessons
    for bank in [importlib.import_module(f"tests.bank.{lesson.module}")]
    if hasattr(bank, "CANNOT")
    for id_, answers in bank.BANK.items()
    for answer in answers
    if answer.kind != "unchanged"
]


@pytest.mark.parametrize(("id_", "answer"), BY_SCRIPT, ids=lambda v: getattr(v, "name", v))
def test_each_edit_finds_its_place_and_leaves_a_script(
    home: Path, monkeypatch: pytest.MonkeyPatch, id_: str, answer: Answer
) -> None:
    lab, code, runner = Lab(id_), exercise.find(id_), FakeRunner({"bash": ""})
    shutil.copytree(code.files, lab.folder())
    monkeypatch.setattr(edits, "default_runner", lambda: runner)
    monkeypatch.setattr(Lab, "env", lambda _: {})
    monkeypatch.setattr(Lab, "docker", property(_no_docker))
    monkeypatch.setattr(Lab, "push", lambda lab, *_: lab.docker)
    try:
        answer.apply(lab)
    except ConnectionError:
        return  # by the SDK or the registry
    (argv,) = runner.calls
    script = str(argv[-1])
    assert subprocess.run(["bash", "-n", "-c", script], check=True, capture_output=True)
    given = script == edits.solving(id_) and not _changed(lab, code)
    assert given == (answer.kind == "solution")


def _no_docker(_: Lab) -> Any:
    raise ConnectionError


def _changed(lab: Lab, code: Declared) -> set[str]:
    files = [path for path in code.files.rglob("*") if path.is_file()]
    own = {str(path.relative_to(code.files)): path.read_bytes() for path in files}
    return {name for name, text in own.items() if (lab.folder() / name).read_bytes() != text}


def test_an_edit_that_finds_nothing_is_named() -> None:
    with pytest.raises(AssertionError, match="'COPY' is not in"):
        edits.edited(Lab("containers-3"), (edits.sub("COPY", "ADD"),))


def test_the_solution_is_the_one_of_the_lab() -> None:
    assert edits.solving("containers-3").splitlines() == [
        'docker tag quote:tested "$REGISTRY/quote:1.0"',
        'docker push "$REGISTRY/quote:1.0"',
    ]
