"""The observations of containers-1 and -2, with a Docker that runs their files on this machine."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from course.core import manifest, paths
from course.exercises import containers
from course.exercises.kit import exercise
from course.exercises.kit.facts import judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.served import Served
from course.exercises.kit.verdict import Wrong
from course.measure.container import Process
from tests.bank import edits
from tests.exercises.local import NODE, Local

RATE = 0.9346


class Docker:
    """One image; its containers are local."""

    def __init__(self, made: Local) -> None:
        self.made, self.given = made, dict[str, Any]()
        self.about = {"OperatingSystem": "Debian GNU/Linux 12", "SecurityOptions": None}
        self.networks_made: list[dict[str, Any]] = []
        self.images = self.networks = self.containers = self
        self.api = SimpleNamespace(images=lambda **_: [{"RepoTags": ["price:lab", "price:other"]}])
        self.attrs = {"Architecture": "none"}

    def get(self, ref: str) -> Docker:
        return self

    def history(self) -> list[dict[str, int]]:
        return [{"Size": 70_000_000}, {"Size": 1_000_000}]

    def info(self) -> dict[str, Any]:
        return self.about

    def create(self, name: str, **more: Any) -> Any:
        if name.startswith("course-"):
            self.networks_made.append(more)
            return SimpleNamespace(name=name, remove=lambda: None)
        self.given, self.made.networks = more, [more["network"]]
        options = more.get("command", ())
        self.made.starts = [[*one, *options] if one else one for one in self.made.starts]
        return self.made


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    monkeypatch.setattr("course.exercises.containers._PORT", number)
    return number


@pytest.fixture
def answer(home: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lab]:
    """Judge an answer: the files of an exercise, started by these commands one after the other."""

    def judged(id_: str, *starts: list[str], env: dict[str, str] | None = None) -> Lab:
        code, lab = exercise.find(id_), Lab(id_)
        shutil.copytree(code.files, lab.folder())
        for source in lab.folder().glob("*.mjs"):
            source.write_text(source.read_text().replace("listen(3000", f"listen({port}"))
        if id_ == "containers-2":
            lab.write("data/rates.json", f'{{"EUR": 1, "CHF": {RATE}}}')
        made = Local(list(starts), lab.folder(), env or {})
        lab.docker_ = Docker(made)  # type: ignore[attr-defined]
        judge(lab, code._code.observe(lab))
        return lab

    monkeypatch.setattr(Lab, "docker", property(lambda lab: lab.docker_))
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/docker.sock")
    facts = {"rate": str(RATE), "old": "0.9869"}
    monkeypatch.setattr(Lab, "recall", lambda _, name: facts[name])
    return judged


SLUG, PRICE = [str(NODE), "slug.mjs"], [str(NODE), "price.mjs"]
CHF = {"PRICE_CURRENCY": "CHF"}
FIXED = f"sed -i 's/JSON.parse(.*/({{ EUR: 1, CHF: {RATE} }});/' price.mjs"


def test_the_slug_service_is_right_at_both_starts_and_reaches_nothing(answer: Any) -> None:
    lab = answer("containers-1", SLUG, SLUG, SLUG)
    assert [network["internal"] for network in lab.docker_.networks_made] == [True, True]
    assert "ports" not in lab.docker_.given
    assert lab.notes[-1] == "the image holds 71 MB to run a program of 1 kB"


@pytest.mark.parametrize(
    ("third", "saw"),
    [
        ([], "no such command"),
        (["sh", "-c", f"exec {NODE} slug.mjs"], "it joins words by `-` all the same"),
        ([str(NODE)], "bad option: --joint"),
    ],
)
def test_the_lessons_cell_with_other_names_loses_the_option(
    answer: Any, third: list[str], saw: str
) -> None:
    with pytest.raises(Wrong) as caught:
        answer("containers-1", SLUG, SLUG, third)
    assert caught.value.cause == "arguments-lost" and saw in caught.value.saw


@pytest.mark.parametrize(
    ("about", "host"),
    [
        ({"OperatingSystem": "Docker Desktop"}, "unix:///run/docker.sock"),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "unix:///run/docker.sock"),
        ({}, "tcp://10.0.0.7:2375"),
    ],
)
def test_where_dockers_networks_are_elsewhere_a_port_is_published(
    monkeypatch: pytest.MonkeyPatch, about: dict[str, Any], host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    there = Docker(Local([], Path(), {}))
    there.about = about
    monkeypatch.setattr(Lab, "docker", there)
    with Lab("containers-1").alone() as where:
        assert list(where) == ["network"]
    assert "internal" not in there.networks_made[0]


def test_what_is_wrong_only_at_the_second_start_is_told_as_that(answer: Any) -> None:
    with pytest.raises(Wrong) as caught:
        answer("containers-1", SLUG, [str(NODE), "gone.mjs"])
    assert caught.value.cause == "missing-file"
    assert caught.value.saw.startswith("at its second start, the container ended: Error: Cannot")


def test_what_docker_cannot_start_again_is_no_fault_of_the_check(answer: Any) -> None:
    with pytest.raises(Wrong) as caught:
        answer("containers-1", SLUG, [])
    assert caught.value.cause == "cannot-start"
    assert caught.value.saw.startswith("at its second start, Docker cannot start slug:lab")


def test_the_price_service_is_right_with_its_rates_and_its_setting(answer: Any) -> None:
    assert answer("containers-2", PRICE, PRICE, env=CHF).notes


@pytest.mark.parametrize(
    ("command", "env", "cause"),
    [
        (PRICE, {}, "missing-setting"),
        (PRICE, {"PRICE_CURRENCY": "EUR"}, "wrong-currency"),
        (["sh", "-c", f"rm -r data; exec {NODE} price.mjs"], CHF, "missing-data"),
        (["sh", "-c", f"echo > data/rates.json; exec {NODE} price.mjs"], CHF, "crashes"),
        (["sh", "-c", f"{FIXED}; exec {NODE} price.mjs"], CHF, "rates-not-read"),
        (["sh", "-c", f"echo {{}} > data/rates.json; exec {NODE} price.mjs"], CHF, "wrong-rate"),
    ],
)
def test_a_price_service_that_lacks_something_ends_or_answers_as_its_facts_say(
    answer: Any, command: list[str], env: dict[str, str], cause: str
) -> None:
    with pytest.raises(Wrong) as caught:
        answer("containers-2", command, env=env)
    assert caught.value.cause == cause


def test_the_amounts_that_are_asked_for_are_rounded_down_and_up() -> None:
    below, above = containers._beside_half(10_000_000, RATE)
    assert 0.49 < below * RATE % 1 < 0.5 < above * RATE % 1 < 0.51


class Programs(Served):
    """A container with these programs, by their number; each answers, or Docker in its place."""

    def __init__(self, **said: str) -> None:
        self.said = {f"/proc/{number[1:]}/exe": text for number, text in said.items()}

    def processes(self) -> list[Process]:
        return [Process(n, 0, 0, 0, "node", not n) for n in range(len(self.said))]

    def run(self, *argv: str) -> str:
        return self.said.get(argv[0], "OCI runtime exec failed: exec failed: no such file")


@pytest.mark.parametrize(
    ("programs", "said"),
    [
        (Programs(_1="v24.11.1"), ["v24.11.1"]),
        (Programs(_1="Illegal option --", _7="v20.19.5"), ["Illegal option --", "v20.19.5"]),
        (Programs(_1="", _2="v20.19.5"), ["v20.19.5"]),
        (Programs(), []),
    ],
)
def test_each_program_that_runs_is_asked_by_the_kernels_link(
    programs: Programs, said: list[str]
) -> None:
    assert programs.ask_programs("--version") == said


@pytest.mark.parametrize(
    ("running", "cause"),
    [
        (("v24.11.1",), ""),
        (("v24.11.1", "v20.19.5"), "old-runtime"),
        (("v25.0.0",), "wrong-answer"),
        ((), ""),
    ],
)
def test_the_programs_that_run_say_their_version_whatever_the_answers_say(
    running: tuple[str, ...], cause: str
) -> None:
    wrong = containers.Runtime("v24.11.1", running, 1).wrong()
    assert (wrong.cause if wrong else "") == cause


def test_the_last_hint_of_an_exercise_is_in_its_solution() -> None:
    lesson = manifest.load().lesson("01-containers")
    for one in lesson.exercises:
        said = re.findall("`([^`]+)`", one.hints[-1])
        assert len(said) > 1
        assert [text for text in said if text not in edits.solving(one.id)] == []


def test_the_first_exercise_needs_an_instruction_that_no_cell_of_the_lesson_shows() -> None:
    text = (paths.ROOT / "content" / "01-containers.md").read_text(encoding="utf-8")
    assert "ENTRYPOINT" in edits.solving("containers-1") and "ENTRYPOINT" not in text
