"""course.exercises.kit.check: what a learner is told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from course.core import environment, manifest
from course.core.errors import CourseError
from course.exercises.kit import check as check_
from course.exercises.kit import draw, exercise, start
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import Result, Wrong
from course.learner import progress
from course.measure.kube_api import ApiError
from tests.exercises.words import Word, Words
from tests.fake_docker import FakeDocker
from tests.running_course import Said, gateway, pod, running, state, system


@pytest.fixture
def engine(home: Path) -> Iterator[environment.Engine]:
    """A course that is up, its ports answered by a server of the test's own."""
    with running() as made:
        yield made


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


def test_an_unknown_exercise_is_an_error(mini: Path) -> None:
    with pytest.raises(CourseError, match="no exercise is called `mini-7`"):
        check_.check("mini-7")


@pytest.fixture
def check(
    mini: Path, engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Said, str], Result]:
    """Check the mini course's exercise, which needs the cluster, while the course is like that."""
    start.begin("mini-1")
    word = mini.parent / "work" / "mini-1" / "word.txt"
    exercise = replace(manifest.load().exercise("mini-1"), needs=("containers", "cluster"))
    monkeypatch.setattr(manifest.Manifest, "exercise", lambda *_: exercise)

    def run(said: Said, text: str) -> Result:
        word.write_text(text)
        monkeypatch.setattr(check_, "_Sources", lambda **_: said)
        return check_.check("mini-1")

    return run


FAILED = [
    (
        lambda: Said(listed=system(but=[gateway(ended=("OOMKilled", 0), ready=0)])),
        "killed for memory",
    ),
    (lambda: Said(listed=system(without="traefik")), "it has no pod"),
    (lambda: Said(listed=system(but=[gateway(ready=None)])), "readiness probe"),
    (lambda: Said(listed=system(but=[gateway(ready=0)])), "it became ready only"),
    (lambda: Said(listed=system(but=[pod({"component": "etcd"}, ended=("Error", 0))])), "etcd"),
    (lambda: Said(listed=ApiError(0, "no Kubernetes API answers")), "no Kubernetes API"),
    (lambda: Said(docker=CourseError("no Docker answers: x")), "Docker"),
    (lambda: Said(registry=state(0)), "the registry"),
    (lambda: Said(registry=state(Running=False, ExitCode=0)), "the registry"),
    (lambda: Said(node=state(0)), "the cluster's node"),
]


@pytest.mark.parametrize(("said", "saw"), FAILED, ids=[saw for _, saw in FAILED])
def test_a_check_during_which_a_part_failed_does_not_judge(
    check: Callable[[Said, str], Result], said: Callable[[], Said], saw: str
) -> None:
    result = check(said(), "wrod")
    assert (result.state, result.cause) == ("could not judge", "environment")
    assert saw in result.saw and "did not work during this check" in result.saw
    assert result.try_.endswith("run the check again")
    assert repr(result).startswith("? mini-1 · ") and "could not judge" in repr(result)
    assert "could not judge" in result._repr_html_()


@pytest.mark.parametrize("said", [said for said, _ in FAILED], ids=[saw for _, saw in FAILED])
def test_a_right_answer_stays_right(
    check: Callable[[Said, str], Result], said: Callable[[], Said]
) -> None:
    assert check(said(), "word").state == "passed"


@pytest.mark.parametrize(
    "said",
    [
        Said,
        lambda: Said(listed=system(but=[gateway(ended=("OOMKilled", 60), ready=50, restarts=3)])),
        lambda: Said(listed=[*system(), gateway(ready=0)]),
        lambda: Said(listed=system(without="postgres")),
        lambda: Said(listed=ApiError(403, "pods is forbidden")),
    ],
    ids=["well", "killed before", "one of two stayed", "not the check's", "a cluster of others"],
)
def test_a_wrong_answer_stays_wrong_where_nothing_failed_meanwhile(
    check: Callable[[Said, str], Result], said: Callable[[], Said]
) -> None:
    assert check(said(), "wrod").cause == "wrong-word"


def test_a_check_that_waits_goes_on_until_it_can_judge(
    check: Callable[[Said, str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_, "_PAUSE", 0.01)
    looks: list[int] = []

    def flaky(lab: Lab) -> None:
        looks.append(1)
        if len(looks) < 3:
            raise Wrong("lost", saw="lost", want="all", try_="x")

    monkeypatch.setattr(exercise.find("mini-1"), "check", flaky)
    said = Said(listed=system(without="traefik"))
    monkeypatch.setattr(check_, "_Sources", lambda **_: said)
    assert check_.check("mini-1", wait=5).state == "passed"
    assert len(looks) == 3


@pytest.mark.parametrize(("busy", "state"), [(1e-9, "could not judge"), (60.0, "failed")])
def test_what_a_busy_machine_may_have_caused_is_judged_on_one_that_is_not(
    words: Path, monkeypatch: pytest.MonkeyPatch, busy: float, state: str
) -> None:
    monkeypatch.setattr(check_, "_BUSY", busy)
    start.begin("mini-1")
    assert check_.check("mini-1").state == state


def test_the_seed_of_what_was_drawn_is_shown_and_draws_the_same_again(
    words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Words, "observe", lambda _, lab: iter([Word(lab.draw.word())]))
    start.begin("mini-1")
    first = check_.check("mini-1")
    assert f"the seed {first.seed}" in repr(check_.explain("mini-1"))
    monkeypatch.setenv(draw.SEED, str(first.seed))
    assert check_.check("mini-1").saw == first.saw
