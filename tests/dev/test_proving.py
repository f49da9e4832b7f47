"""course.dev.proving: tests and real notebooks, run and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from course.core.errors import CourseError
from course.core.process import default_runner
from course.dev import proving
from course.dev.schedule import Budget, Planned, Reason
from course.dev.tally import Tally
from course.dev.things import Kind, Thing
from course.exercises.kit.verdict import Result


def notebook(file: Path, *cells: str, armed: str = "", kind: str = "text/plain") -> None:
    made = [new_code_cell(source) for source in cells]
    if armed:
        made[-1].metadata["tags"] = ["nbval-check-output"]
        made[-1].execution_count = len(made)
        made[-1].outputs = [new_output("display_data", data={kind: armed})]
    about = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    file.parent.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=made, metadata=about), file)


@pytest.fixture
def prover(tmp_path: Path, home: Path) -> Callable[..., proving.Prover]:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "nbval.cfg").write_text("")

    def made(things: list[Thing], *options: str, go_on: bool = False) -> proving.Prover:
        return proving.Prover(
            root=tmp_path,
            fingerprints={thing: thing.name for thing in things},
            sources=proving.Sources(tmp_path, default_runner()),
            budget=Budget(),
            began=time.monotonic(),
            commit="c0ffee",
            options=lambda lane: options,
            env={},
            tally=Tally(),
            go_on=go_on,
        )

    return made


ASKED_AGAIN = """\
from pathlib import Path
def test_it():
    times = Path(__file__).with_suffix(".times")
    n = len(times.read_text()) if times.exists() else 0
    times.write_text("x" * (n + 1))
    assert n >= {busy}, "? a-1 · T · could not judge"
"""


def test_a_notebook_whose_check_could_not_judge_is_asked_again_once_and_then_counted(
    tmp_path: Path,
    prover: Callable[..., proving.Prover],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    times = {"fine": 0, "busy-once": 1, "busy": 9, "last": 0}
    things = [Thing(Kind.SOLUTION, n, n, f"test_{n}.py") for n in times]
    for thing, busy in zip(things, times.values(), strict=True):
        (tmp_path / thing.node).write_text(ASKED_AGAIN.format(busy=busy))
    one = prover(things, "-q", "-p", "no:cacheprovider")
    one.run([Planned(thing, Reason.CHANGED, 5.0) for thing in things])
    assert {thing.name for thing in one.tally.things} == {"fine", "busy-once", "last"}
    assert list(one.tally.unjudged) == ["test_busy.py"]
    assert (one.tally.passed, one.tally.failed) == (3, 0)
    out = capsys.readouterr().out
    assert out.count("asked again: solution busy") == 2
    assert (tmp_path / "test_busy.times").read_text() == "xx"


@pytest.mark.parametrize("look", ["__repr__", "_repr_html_"])
def test_what_nbval_shows_of_a_check_that_could_not_judge_is_known(
    tmp_path: Path, prover: Callable[..., proving.Prover], look: str
) -> None:
    right, unjudged = (
        getattr(Result("a-1", "T", state, saw="s", want="w", try_="t"), look)()
        for state in ("passed", "could not judge")
    )
    thing = Thing(Kind.SOLUTION, "a", "a", "solutions/a.ipynb")
    kind = {"__repr__": "text/plain", "_repr_html_": "text/html"}[look]
    shown = f"from IPython.display import display\ndisplay({{{kind!r}: {unjudged!r}}}, raw=True)"
    notebook(tmp_path / thing.node, shown, armed=right, kind=kind)
    one = prover([thing], *proving.NBVAL)
    one.run([Planned(thing, Reason.CHANGED, 5.0)])
    assert list(one.tally.unjudged) == [thing.node]
    assert (one.tally.failed, one.tally.things) == (0, set())


SHOWS = "class R:\n    def __repr__(self): return {text!r}\nR()"


def test_notebooks_run_by_nbval_and_one_that_shows_a_wrong_result_fails(
    tmp_path: Path, prover: Callable[..., proving.Prover]
) -> None:
    things = [Thing(Kind.SOLUTION, n, n, f"solutions/{n}.ipynb") for n in ("right", "wrong")]
    for thing, text in zip(things, ("✓ a-1 · T", "✗ a-1 · T"), strict=True):
        notebook(tmp_path / thing.node, "1 + 1", SHOWS.format(text=text), armed="✓ a-1 · T")
    one = prover(things, *proving.NBVAL)
    with pytest.raises(CourseError, match=r"solutions/wrong\.ipynb failed"):
        one.run([Planned(thing, Reason.CHANGED, 5.0) for thing in things])
    assert {thing.name for thing in one.tally.things} == {"right"}
    assert (one.tally.passed, one.tally.failed, one.tally.unjudged) == (3, 1, {})
