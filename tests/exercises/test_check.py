"""course.exercises.kit.check: what a learner is told."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from course.core.errors import CourseError
from course.exercises.kit import check as check_
from course.exercises.kit import exercise, start
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Result, Wrong
from course.learner import progress
from tests.fake_docker import FakeDocker


def test_before_its_cell_has_run_a_check_says_so(mini: Path) -> None:
    result = check_.check("mini-1")
    assert result.state == "not started"
    assert 'begin("mini-1")' in repr(result) and "course goto mini-1" in result._repr_html_()
    assert progress.last_found("mini-1") is None


def test_a_wrong_answer_names_fact_target_and_next_step(mini: Path) -> None:
    start.begin("mini-1")
    (mini.parent / "work" / "mini-1" / "word.txt").write_text("wrod")
    result = check_.check("mini-1")
    assert (result.state, result.cause) == ("failed", "wrong-word")
    assert repr(result).splitlines() == [
        "✗ mini-1 · The file holds the word",
        "  saw:  `wrod`",
        "  want: `word`",
        "  try:  cat word.txt",
    ]


def test_a_right_answer_is_one_line_the_same_every_time(mini: Path) -> None:
    start.begin("mini-1")
    (mini.parent / "work" / "mini-1" / "word.txt").write_text("word\n")
    first, second = check_.check("mini-1"), check_.check("mini-1")
    assert repr(first) == repr(second) == "✓ mini-1 · The file holds the word"
    assert first._repr_html_() == second._repr_html_()
    assert progress.state("mini-1") == "passed"


def test_what_varies_is_told_apart(mini: Path) -> None:
    start.begin("mini-1")
    (mini.parent / "work" / "mini-1" / "word.txt").write_text("word")
    result = check_.check("mini-1")
    assert [label for label, _ in result.observed] == ["a look"]
    text = repr(check_.explain("mini-1"))
    assert "the word is there" in text and "watched: a look" in text and " ms" in text


def test_explain_before_a_check(mini: Path) -> None:
    assert repr(check_.explain("mini-1")) == "· mini-1 has not been checked yet"


def test_what_was_passed_stays_passed_until_a_reset(mini: Path) -> None:
    start.begin("mini-1")
    word = mini.parent / "work" / "mini-1" / "word.txt"
    word.write_text("word")
    check_.check("mini-1")
    word.write_text("other")
    assert check_.check("mini-1").state == "failed"
    assert progress.state("mini-1") == "passed"
    start.goto("mini-1")
    assert progress.state("mini-1") == "started"


def test_a_fault_of_ours_is_said_to_be_ours(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start.begin("mini-1")

    def broken(lab: Lab) -> None:
        raise KeyError("x")

    monkeypatch.setattr(exercise.find("mini-1"), "check", broken)
    result = check_.check("mini-1")
    assert result.cause == "defect" and "KeyError" in result.saw
    monkeypatch.setenv("COURSE_DEBUG", "1")
    with pytest.raises(KeyError):
        check_.check("mini-1")


def test_an_engine_that_does_not_answer_is_the_environment(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.begin("mini-1")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    monkeypatch.setattr(exercise.find("mini-1"), "check", lambda lab: lab.docker.ping())
    result = check_.check("mini-1")
    assert result.cause == "environment" and "no Docker answers" in result.saw


def test_what_a_learners_program_printed_is_told_without_what_steers_a_terminal(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(lab: Lab) -> None:
        lab.note("\x1b[2Jnote")
        raise Wrong("x", saw="\x1b[31mred\x1b[0m \ud83d", want="w\x07", try_="\x1bct")

    start.begin("mini-1")
    monkeypatch.setattr(exercise.find("mini-1"), "check", check)
    result = check_.check("mini-1")
    assert (result.saw, result.want, result.try_) == ("red \\ud83d", "w\\x07", "t")
    assert result.notes == ("note",)


def test_what_is_longer_than_anybody_reads_is_cut(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(lab: Lab) -> None:
        lab.note("n" * 100_000_000)
        raise Wrong("x", saw="s" * 100_000_000, want="w", try_="t")

    start.begin("mini-1")
    monkeypatch.setattr(exercise.find("mini-1"), "check", check)
    result = check_.check("mini-1")
    assert (len(result.saw), len(result.notes[0])) == (4000, 4000)


@pytest.mark.parametrize(
    ("code", "saw"), [(errno.ENOSPC, "the disk is full"), (errno.EMFILE, "Too many open files")]
)
def test_a_machine_that_has_no_more_of_something_is_no_fault_of_ours_nor_of_the_learner(
    mini: Path, monkeypatch: pytest.MonkeyPatch, code: int, saw: str
) -> None:
    def check(_: Lab) -> None:
        raise OSError(code, os.strerror(code), "/tmp/x")

    start.begin("mini-1")
    monkeypatch.setattr(exercise.find("mini-1"), "check", check)
    result = check_.check("mini-1")
    assert (result.state, result.saw) == ("could not judge", f"{saw} (/tmp/x)")


def test_a_docker_that_stops_after_it_was_first_asked_is_the_environment(
    mini: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start.begin("mini-1")
    with FakeDocker() as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.host)
        Lab("mini-1").docker.ping()
    for part in ("check", "begin"):
        monkeypatch.setattr(exercise.find("mini-1"), part, lambda lab: lab.docker.info())
    result = check_.check("mini-1")
    assert (result.cause, result.try_) == ("environment", "course up")
    assert result.saw == f"no Docker answers at {fake.host}"
    with pytest.raises(CourseError, match="no Docker answers"):
        start.goto("mini-1")


@pytest.mark.parametrize(
    ("body", "status", "saw"),
    [
        ("No such image: x", 404, "it is gone while the check looks at it: No such image: x"),
        ("layer does not exist", 500, "Docker itself failed: layer does not exist"),
    ],
)
def test_what_is_removed_meanwhile_and_what_docker_fails_at_is_not_judged(
    mini: Path, monkeypatch: pytest.MonkeyPatch, body: str, status: int, saw: str
) -> None:
    import docker.errors
    import requests

    response = requests.Response()
    response.status_code = status

    def check(_: Lab) -> None:
        raise docker.errors.APIError("x", response=response, explanation=body)

    start.begin("mini-1")
    monkeypatch.setattr(exercise.find("mini-1"), "check", check)
    result = check_.check("mini-1")
    assert (result.state, result.saw) == ("could not judge", saw)


def test_waiting_looks_again_until_it_is_right(mini: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_, "_PAUSE", 0.01)
    start.begin("mini-1")
    word = mini.parent / "work" / "mini-1" / "word.txt"
    real, looks = exercise.find("mini-1").check, []

    def slowly(lab: Lab) -> None:
        looks.append(1)
        if len(looks) == 3:
            word.write_text("word")
        real(lab)

    monkeypatch.setattr(exercise.find("mini-1"), "check", slowly)
    assert check_.check("mini-1", wait=5).state == "passed"
    assert len(looks) == 3


def test_a_card_shows_what_was_seen_as_text() -> None:
    result = Result("mini-1", "T", "failed", "c", "<script>alert(1)</script>", "w", "t")
    assert "<script>" not in result._repr_html_()
    assert "&lt;script&gt;" in result._repr_html_()
    assert "✗" in result._repr_html_()  # not by colour alone


def test_a_result_is_an_object_for_machines() -> None:
    result = Result("mini-1", "T", "failed", "c", "s", "w", "t", 1.5, (("a run", 0.4),))
    assert json.loads(json.dumps(result.as_dict()))["observed"] == [["a run", 0.4]]


def test_an_unknown_exercise_is_an_error(mini: Path) -> None:
    with pytest.raises(CourseError, match="no exercise is called `mini-7`"):
        check_.check("mini-7")
