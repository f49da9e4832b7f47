"""Recorded passes: the committed file, this machine's cache, and what is said of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from course.core import paths
from course.core.errors import CourseError
from course.dev import check, proofs
from course.dev.proofs import Proof
from course.dev.things import Kind, Thing
from tests.test_cli import course

LESSON = Thing(Kind.LESSON, "01-a", "01-a", "notebooks/01-a.ipynb")
SOLUTION = Thing(Kind.SOLUTION, "01-a", "01-a", "solutions/01-a.ipynb")
OTHER = Thing(Kind.ANSWER, "a-1: other", "01-a", "bank::x", proves=False)
PRINTS = {LESSON: "f1", SOLUTION: "f2", OTHER: "f3"}
PRESENT = {print_: thing for thing, print_ in PRINTS.items()}


def proof(thing: Thing, commit: str = "c0ffee", seconds: float = 3.0) -> Proof:
    return Proof(str(thing.kind), thing.name, commit, "2026-01-02", seconds)


def write(root: Path, text: str) -> Path:
    file = proofs.committed_file(root)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_what_is_kept_is_read_again_and_a_deleted_cache_means_nothing_proven(home: Path) -> None:
    assert proofs.cached() == {}
    proofs.keep({"f1": proof(LESSON)})
    proofs.keep({"f2": proof(SOLUTION)})
    assert proofs.cached() == {"f1": proof(LESSON), "f2": proof(SOLUTION)}
    proofs.cached_file().unlink()
    assert proofs.cached() == {}
    proofs.cached_file().write_text('{"f1": {"kind"')
    assert proofs.cached() == {}
    proofs.keep({"f1": proof(LESSON)})
    assert set(proofs.cached()) == {"f1"}


def test_the_cache_with_proofs_is_still_the_courses_own(home: Path) -> None:
    proofs.keep({"f1": proof(LESSON)})
    assert paths.own_cache()


def test_two_runs_that_write_at_once_lose_nothing_of_each_other(home: Path) -> None:
    code = (
        "import sys; from course.dev import proofs\n"
        "for i in range(20):\n"
        "    name = f'{sys.argv[1]}{i}'\n"
        "    proofs.keep({name: proofs.Proof('lesson', name, '', '', 1.0)})\n"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    assert set(proofs.cached()) == {f"{name}{i}" for name in "ab" for i in range(20)}


def test_the_cache_forgets_the_oldest_proofs_of_a_thing_and_no_other_things(home: Path) -> None:
    proofs.keep({"other": proof(SOLUTION)})
    for i in range(30):
        proofs.keep({f"f{i}": proof(LESSON, seconds=float(i))})
    kept = proofs.cached()
    assert "other" in kept and "f29" in kept and "f9" not in kept and len(kept) == 21
    assert proofs.last_seconds(kept)["lesson", "01-a"] == 29.0


def test_saved_is_one_line_a_proof_sorted_by_thing_and_reads_the_same(tmp_path: Path) -> None:
    many = {"z": proof(LESSON), "a": proof(SOLUTION), "m": proof(LESSON, "d00d")}
    text = proofs.written(many)
    keys = [line.partition('"')[2].partition('"')[0] for line in text.splitlines()[1:-1]]
    assert keys == ["m", "z", "a", "~"]
    assert text == proofs.written(dict(reversed(many.items())))
    write(tmp_path, text)
    assert proofs.committed(tmp_path) == many


def test_saving_keeps_committed_lines_adds_what_passed_here_and_drops_what_is_gone(
    home: Path,
) -> None:
    root = home / "clone"
    gone = Proof("lesson", "00-gone", "0", "2025-01-01", 1.0)
    write(root, proofs.written({"f1": proof(LESSON, "old"), "gone": gone}))
    proofs.keep({"f1": proof(LESSON, "new"), "f2": proof(SOLUTION), "f3": proof(OTHER)})
    assert proofs.save(root, PRESENT) == [gone]
    assert proofs.committed(root) == {"f1": proof(LESSON, "old"), "f2": proof(SOLUTION)}
    assert proofs.save(root, PRESENT) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{\n<<<<<<< HEAD\n"a": 1\n=======\n>>>>>>> b\n}', "line 2 is a conflict's marker"),
        ('{"a": ', "Expecting value"),
        ("[]", "no attribute"),
        ('{"f": {"kind": "lesson"}}', "missing"),
        ('{"f": 1}', "mapping"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, text: str, why: str
) -> None:
    write(tmp_path, text)
    with pytest.raises(CourseError, match=r"bench/proofs\.json") as caught:
        proofs.committed(tmp_path)
    assert why in caught.value.saw
    (problem,) = proofs.problems(tmp_path)
    assert "bench/proofs.json" in problem and proofs.SAVE in problem and "--theirs" in problem


def test_course_dev_check_names_a_file_of_proofs_that_two_branches_changed(mini: Path) -> None:
    write(mini, "<<<<<<< HEAD\n")
    found = check.problems(mini, bank="tests.mini_bank_that_is_not_there")
    assert any("bench/proofs.json: line 1 is a conflict's marker" in line for line in found)


def test_the_list_says_what_is_proven_where_and_ends_with_the_number_that_is_not() -> None:
    old = {"f1": proof(LESSON), "x": Proof("lesson", "00-gone", "0", "2025-01-01", 1.0)}
    things = [SOLUTION, LESSON, OTHER]
    lines = proofs.listing(things, PRINTS, old, {})
    assert lines[-1] == "1 unproven"
    assert "✓ 01-a: elsewhere, 2026-01-02, c0ffee, 3 s" in "\n".join(lines)
    assert "· 01-a: unproven" in "\n".join(lines)
    assert any("00-gone" in line for line in lines)
    assert proofs.listing(things, PRINTS, old, {"f2": proof(SOLUTION)})[-1] == "0 unproven"


def test_the_committed_file_of_the_course_can_be_read() -> None:
    assert proofs.problems(paths.ROOT) == []
    assert json.loads(proofs.committed_file(paths.ROOT).read_text())["~"]


# -- the command


@pytest.fixture
def listed(mini: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone whose things are three; whatever has one text has one fingerprint."""
    monkeypatch.setattr("course.dev.proven.things", lambda *_: list(PRINTS))
    monkeypatch.setattr("course.dev.proven.needs.conditions", lambda: None)
    monkeypatch.setattr(
        "course.dev.proven.fingerprint.fingerprint", lambda thing, *_: PRINTS[thing]
    )
    monkeypatch.setattr("course.dev.proven.fingerprint.parts", lambda *_: {"uv.lock": "c0ffee"})
    return mini


def test_course_dev_proofs_lists_saves_and_says_why(
    listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert course(capsys, "dev", "proofs")[1].splitlines()[-1] == "2 unproven"
    proofs.keep({"f1": proof(LESSON)})
    out = course(capsys, "dev", "proofs")[1]
    assert f"not committed: 1; {proofs.SAVE}" in out and out.splitlines()[-1] == "1 unproven"
    assert course(capsys, "dev", "proofs", "--save")[1].splitlines()[-1] == "1 unproven"
    assert proofs.committed(listed) == {"f1": proof(LESSON)}
    out = course(capsys, "dev", "proofs", "--why", "01-a")[1]
    assert "lesson 01-a: f1" in out and "solution 01-a: f2" in out and "c0ffee  uv.lock" in out


def test_course_dev_proofs_names_what_is_nearest_to_an_unknown_name(
    listed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = course(capsys, "dev", "proofs", "--why", "01-b")
    assert code == 1 and "nothing to prove is called `01-b`" in err and "`01-a`?" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--lesson", "01-mini"), "--all"), (("--all", "--lesson", "nothing"), "01-mini, cluster")],
)
def test_what_cannot_be_proven_anew_is_refused(
    mini: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    code, _, err = course(capsys, "dev", "test", *words)
    assert code == 2 and said in err
