"""The whole flow of `make test` and `make test-all`, on tiny tests and without an engine."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from course.core import paths
from course.core.errors import CourseError
from course.dev import needs, proofs, proving, suite
from course.dev.fingerprint import Conditions
from course.dev.schedule import Budget
from course.dev.things import Kind, Thing
from course.engine import up

COURSE = """\
title = "T"
[[parts]]
id = 1
title = "P"
lessons = ["01-a"]
[[lessons]]
stem = "01-a"
part = 1
title = "L"
minutes = 1
needs = []
claim = "C"
test_seconds = { lesson = 2, solution = 2 }
"""
BANK = """\
import os, pathlib, pytest
MODES = dict(pair.split("=") for pair in os.environ.get("MODES", "").split(",") if pair)
@pytest.mark.parametrize("name", ["right", "wrong", "other"])
def test_an_answer(name):
    with open(os.environ["RAN"], "a") as sink:
        sink.write(name + "\\n")
    mode = MODES.get(name)
    if mode == "unjudged":
        pytest.skip("could not judge: the disk is full")
    if mode == "hangs":
        import time
        time.sleep(60)
    assert mode != "fails", "it was accepted"
"""
ANSWERS = [
    Thing(Kind.ANSWER, f"a-1: {name}", "01-a", f"bank/test_bank.py::test_an_answer[{name}]", proves)
    for name, proves in (("right", True), ("wrong", True), ("other", False))
]
SOLUTION = Thing(Kind.SOLUTION, "01-a", "01-a", "solutions/test_a.py")
LESSON = Thing(Kind.LESSON, "01-a", "01-a", "notebooks/test_l.py")
CLUSTER = Thing(Kind.CLUSTER, "cluster/test_c.py", "", "cluster/test_c.py")
BROWSER = Thing(Kind.BROWSER, "browser/test_b.py", "", "browser/test_b.py")
THINGS = [SOLUTION, *ANSWERS, LESSON, CLUSTER, BROWSER]
LANES = proving.LANES
EMPTY = "def test_one(): pass\ndef test_two(): pass\n"


def printed(thing: Thing, *_: object) -> str:
    return f"{thing.kind} {thing.name} {(paths.ROOT / thing.node.partition('::')[0]).read_text()}"


@pytest.fixture
def course(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A clone with these things; its engine is a list of what was asked of it."""
    root = home / "clone"
    for file, text in {
        "course.toml": COURSE,
        "bank/test_bank.py": BANK,
        **{thing.node: EMPTY for thing in (SOLUTION, LESSON, CLUSTER, BROWSER)},
    }.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    (root / ".gitignore").write_text("__pycache__/\n.pytest_cache/\n")
    for words in (["init"], ["add", "."], ["commit", "-m", "one"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
        subprocess.run(["git", "-C", root, *identity, *words], check=True, capture_output=True)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(suite, "things", lambda *_: THINGS)
    monkeypatch.setattr("course.dev.suite.fingerprint.fingerprint", printed)
    # One process for all: starting pytest is most of what these tests take.
    monkeypatch.setattr(proving, "LANES", dict.fromkeys(Kind, "all"))
    monkeypatch.setattr(suite, "options", lambda lane: ["-q", "-p", "no:cacheprovider"])
    monkeypatch.setattr(suite, "_without_engine", lambda _: None)
    monkeypatch.setattr(suite, "_state_of_the_cluster", lambda: print("STATE"))
    monkeypatch.setattr("course.dev.suite.environment.environment", dict)
    monkeypatch.setattr("course.dev.suite.shutil.which", lambda name: name)
    monkeypatch.setattr("course.dev.suite.results.head", lambda *_: "0")
    monkeypatch.setattr(needs, "conditions", lambda: Conditions("kind", "containerd", "v1"))
    monkeypatch.setattr(needs, "cost", lambda levels: 60.0 * len(levels))
    monkeypatch.setattr(up, "up", lambda display, until="": asked(root).append(until))
    monkeypatch.setattr(up, "down", lambda report: asked(root).append("down"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("RAN", str(home / "ran"))
    monkeypatch.delenv("CI", raising=False)
    _ASKED.clear()
    yield root


_ASKED: list[str] = []


def asked(_: Path) -> list[str]:
    return _ASKED


def ran(home: Path) -> list[str]:
    """The answers that were really judged since the last look."""
    file = home / "ran"
    found = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return found


def proven() -> set[str]:
    return {f"{proof.kind} {proof.name}" for proof in proofs.cached().values()}


def test_a_new_machine_proves_all_and_then_has_nothing_to_do(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(proving, "LANES", LANES)
    suite.run()
    out = capsys.readouterr().out
    assert "engine: kind" in out and out.rstrip().endswith("10 passed, 0 failed")
    assert "could not judge: 0" in out and "changed, unproven" not in out
    assert asked(course) == ["orders", "down"]
    assert ran(home) == ["right", "wrong"]
    assert proven() == {f"{thing.kind} {thing.name}" for thing in THINGS if thing.proves}
    assert subprocess.run(
        ["git", "status", "--porcelain"], cwd=course, capture_output=True, check=True
    ).stdout == (b"")
    suite.run()
    assert asked(course) == ["orders", "down"]
    out = capsys.readouterr().out
    assert out.rstrip().endswith("0 passed, 0 failed")
    assert table(out)["all"] == (0, 6, 0, 6)


def table(out: str) -> dict[str, tuple[int, ...]]:
    """Of the table at the end: a row's name → now, earlier, unproven, all."""
    rows = re.findall(r"^(\S.*?) +(\d+) +(\d+) +(\d+) +(\d+)$", out, re.MULTILINE)
    return {name: tuple(map(int, figures)) for name, *figures in rows}


def test_after_a_change_to_one_thing_only_that_is_run(
    course: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.run()
    ran(home)
    capsys.readouterr()
    (course / LESSON.node).write_text(EMPTY + "def test_three(): pass\n")
    suite.run()
    out = capsys.readouterr().out
    assert out.rstrip().endswith("3 passed, 0 failed") and ran(home) == []
    assert table(out)["lesson"] == (1, 0, 0, 1) and table(out)["all"] == (1, 5, 0, 6)
    assert asked(course)[2:] == ["frontend", "down"]  # a lesson that needs no cluster


def test_ci_runs_what_others_have_proven_and_then_the_other_answers(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.run()
    proofs.save(course, {printed(thing): thing for thing in THINGS})
    proofs.cached_file().unlink()
    ran(home)
    monkeypatch.setenv("CI", "true")
    suite.run()
    out = capsys.readouterr().out
    assert out.rstrip().endswith("11 passed, 0 failed")
    assert sorted(ran(home)) == ["other", "right", "wrong"]
    assert table(out)["all"] == (6, 0, 0, 6)


def test_a_failure_ends_the_run_shows_the_cluster_and_keeps_what_has_passed(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODES", "wrong=fails")
    with pytest.raises(CourseError, match=r"test_an_answer\[wrong\] failed") as caught:
        suite.run()
    assert caught.value.try_ == "make test-all LESSON=01-a"
    out = capsys.readouterr().out
    assert "STATE" in out and out.rstrip().endswith("5 passed, 1 failed")
    assert proven() == {"solution 01-a", "lesson 01-a", "answer a-1: right"}
    assert asked(course)[-1] == "down"
    monkeypatch.setenv("MODES", "")
    ran(home)
    suite.run()
    assert ran(home) == ["wrong"]


def test_what_could_not_be_judged_is_counted_is_no_proof_and_a_few_do_not_fail_the_run(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODES", "wrong=unjudged")
    suite.run()
    out = capsys.readouterr().out
    assert "could not judge: 1\n" in out and "the disk is full" in out
    assert "changed, unproven: 1 x answer: make test-all LESSON=01-a" in out
    assert "answer a-1: wrong" not in proven()


def test_what_does_not_fit_is_told_with_its_command_and_the_run_is_green(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Budget, "fits", lambda self, planned, elapsed: planned.thing is SOLUTION)
    suite.run()
    out = capsys.readouterr().out
    assert "changed, unproven: 1 x lesson, 2 x answer: make test-all LESSON=01-a" in out
    assert "changed, unproven: 1 x cluster: make test-all LESSON=cluster" in out
    assert out.rstrip().endswith("2 passed, 0 failed") and table(out)["all"] == (1, 0, 5, 6)


def test_where_nothing_fits_the_engine_is_not_started(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Budget, "fits", lambda *_: False)
    suite.run()
    assert asked(course) == [] and table(capsys.readouterr().out)["all"] == (0, 0, 6, 6)


def test_what_takes_too_long_to_build_is_not_begun(
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(needs, "cost", lambda levels: 3000.0 * (len(levels) - 1))
    suite.run()
    out = capsys.readouterr().out
    assert asked(course) == ["frontend", "down"]
    assert f"not begun, its images take too long to build: {CLUSTER.name}" in out
    assert table(out)["cluster"] == (0, 0, 1, 1) and table(out)["lesson"] == (1, 0, 0, 1)


def test_what_was_planned_for_another_engine_than_the_one_that_started_is_planned_again(
    course: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = ["containerd"]
    monkeypatch.setattr(needs, "conditions", lambda: Conditions("kind", store[0], "v1"))
    monkeypatch.setattr(
        "course.dev.suite.fingerprint.fingerprint",
        lambda thing, _, conditions: f"{thing.name} {thing.kind} {conditions.image_store}",
    )
    monkeypatch.setattr(up, "up", lambda *_, until: store.__setitem__(0, "graph drivers"))
    suite.run()
    assert "planned again" in capsys.readouterr().out
    assert {key.rpartition(" ")[2] for key in proofs.cached()} == {"drivers"}


def test_a_lesson_is_proven_anew_whatever_is_proven(
    course: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite.run()
    ran(home)
    capsys.readouterr()
    suite.run(everything=True, lesson="01-a")
    out = capsys.readouterr().out
    assert ran(home) == ["right", "wrong", "other"]
    assert out.rstrip().endswith("11 passed, 0 failed")  # each notebook twice
    assert table(out)["solution"] == table(out)["other answers"] == (1, 0, 0, 1)


def test_all_answers_are_judged_though_one_fails_when_proven_anew(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODES", "right=fails")
    with pytest.raises(CourseError, match="failed"):
        suite.run(everything=True, lesson="01-a")
    assert ran(home) == ["right", "wrong", "other"]


def test_a_file_that_is_edited_while_the_tests_run_is_no_proof(
    course: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (course / SOLUTION.node).write_text(
        f"def test_one(): open({str(course / 'course.toml')!r}, 'a').write('# edited')\n"
    )
    suite.run()
    assert proven() == set()
    assert "edited while the tests ran: course.toml" in capsys.readouterr().out


def test_a_file_that_is_edited_while_the_engine_starts_is_no_proof(
    course: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = (course / LESSON.node).write_text
    monkeypatch.setattr(up, "up", lambda *_, until: edit("def test_another(): pass\n"))
    suite.run()
    assert proven() == set()


def test_a_log_that_grows_in_the_clone_while_the_tests_run_is_no_edit(
    course: Path, home: Path
) -> None:
    log = course / "test.log"
    log.write_text("make test > test.log")
    (course / SOLUTION.node).write_text(f"def test_one(): open({str(log)!r}, 'a').write('more')\n")
    suite.run()
    assert len(proven()) == 6


def test_an_interrupted_run_keeps_what_has_passed(course: Path, home: Path) -> None:
    """Killed, so that nothing of it can clear up: what had passed was kept by then."""
    code = f"""
import sys, time
from pathlib import Path
from course.dev.proving import Prover, Sources
from course.dev.tally import Tally
from course.core.process import default_runner
from course.dev.schedule import Budget, Planned, Reason
from course.dev.things import Kind, Thing
things = [Thing(Kind.ANSWER, f"a-1: {{n}}", "01-a", f"bank/test_bank.py::test_an_answer[{{n}}]")
          for n in ("right", "wrong")]
root = Path({str(course)!r})
prints = {{t: t.name for t in things}}
prover = Prover(root, prints, Sources(root, default_runner()), Budget(), time.monotonic(), "c",
    lambda lane: ["-q", "-p", "no:cacheprovider"], {{}}, Tally())
prover.run([Planned(t, Reason.CHANGED, 1.0) for t in things])
"""
    env = {**os.environ, "MODES": "wrong=hangs"}
    process = subprocess.Popen([sys.executable, "-c", code], env=env, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while "answer a-1: right" not in proven():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.1)
    finally:
        hanging = children(process.pid)
        process.kill()
        process.wait()
        for pid in hanging:
            os.killpg(pid, signal.SIGKILL)
    assert proven() == {"answer a-1: right"}


def children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children()]
