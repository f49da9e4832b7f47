"""course.measure.builds: what a build did, from what BuildKit says of it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from course.core.errors import CourseError
from course.core.process import Completed, FakeRunner
from course.measure import builds


def at(seconds: float) -> str:
    return f"2026-01-01T00:00:{seconds:012.9f}Z"


def vertex(digest: str, name: str, began: float, ended: float | None, **more: Any) -> str:
    entry = {"digest": digest, "name": name, "started": at(began), **more}
    if ended is not None:
        entry["completed"] = at(ended)
    return json.dumps({"vertexes": [entry]})


def log(digest: str, text: str) -> str:
    data = base64.b64encode(text.encode()).decode()
    return json.dumps({"logs": [{"vertex": digest, "stream": 1, "data": data}]})


LINES = [
    "#0 a line for people",
    json.dumps({"vertexes": [{"digest": "c", "name": "[internal] load build context"}]}),
    json.dumps({"statuses": [{"id": "transferring context:", "vertex": "c", "current": 120}]}),
    json.dumps({"statuses": [{"id": "transferring context:", "vertex": "c", "current": 4096}]}),
    vertex("f", "[build 1/3] FROM docker.io/library/node:24-slim", 1.0, 1.0, cached=True),
    vertex("b", "[build 3/3] RUN npm ci", 2.5, None),
    log("b", "added 48 packages\n"),
    vertex("b", "[build 3/3] RUN npm ci", 2.5, 12.25),
    vertex("a", "[build 2/3] COPY package.json ./", 2.0, 2.5, cached=True),
    vertex("x", "[stage-1 2/2] COPY --from=build /app/dist ./dist", 12.5, 13.0),
]


def test_each_instruction_in_the_dockerfiles_order() -> None:
    build = builds.parse(LINES)
    assert [(s.stage, s.number, s.key, s.cached) for s in build.steps] == [
        ("build", 1, "FROM", True),
        ("build", 2, "COPY", True),
        ("build", 3, "RUN", False),
        ("stage-1", 2, "COPY", False),
    ]
    install = build.find("npm ci")
    assert install is not None
    assert (install.started, install.seconds) == (1.5, 9.75)
    assert install.log == ("added 48 packages",)
    assert (build.seconds, build.context_bytes, build.error) == (12.0, 4096, "")
    assert [s.instruction.split()[0] for s in build.ran] == ["RUN", "COPY"]
    assert build.find("nothing of the kind") is None


def test_a_step_that_failed_is_named() -> None:
    said = "process did not complete successfully: exit code: 127"
    failing = vertex("a", "[2/2] RUN npm run build", 1, 2, error=said)
    build = builds.parse([failing, log("a", "sh: 1: tsc: not found\n")])
    assert build.error == build.steps[0].error == said
    assert build.steps[0].log == ("sh: 1: tsc: not found",)


def test_a_dockerfile_that_does_not_parse_is_an_error_of_the_build() -> None:
    line = vertex("a", "[internal] load build definition from Dockerfile", 1, 2)
    build = builds.parse([line, "ERROR: failed to solve: dockerfile parse error on line 2"])
    assert build.steps == ()
    assert "line 2" in build.error


def test_what_is_no_build_says_what_was_there(home: Path) -> None:
    with pytest.raises(CourseError, match="unable to prepare context"):
        builds.parse(["unable to prepare context: path nowhere not found"])
    with pytest.raises(CourseError, match="is not there"):
        builds.read(home / "nothing.json")


def test_a_failing_build_is_a_result(home: Path) -> None:
    failing = vertex("a", "[2/2] RUN false", 1, 2, error="exit code: 1")
    fake = FakeRunner({"docker build": Completed((), 1, "", failing)})
    assert builds.run(home, "--tag", "x", runner=fake).error == "exit code: 1"
    assert fake.calls[0][:3] == ("docker", "build", "--progress=rawjson")


def test_an_only_stage_has_no_name() -> None:
    lines = [vertex("a", "[stage-0 2/3] RUN true", 1, 2), vertex("b", "[stage-0 3/3] RUN x", 2, 3)]
    assert [step.stage for step in builds.parse(lines).steps] == ["", ""]
    lines.append(vertex("c", "[build 2/2] RUN true", 1, 2))
    assert {step.stage for step in builds.parse(lines).steps} == {"stage-0", "build"}


def test_what_another_build_did_before_is_there_already_and_its_time_is_not_ours() -> None:
    lines = [
        vertex("d", "[internal] load build definition from Dockerfile", 10, 10.1),
        vertex("a", "[2/4] WORKDIR /app", 3, 4),
        vertex("b", "[3/4] RUN npm ci", 8, 15),
        vertex("c", "[4/4] COPY . .", 15, 16),
    ]
    build = builds.parse(lines)
    assert [(s.number, s.started, s.seconds) for s in build.ran] == [(3, 0, 5), (4, 5, 1)]
    assert build.steps[0].cached
    assert build.seconds == 6


REAL = Path(__file__).parents[1] / "builds"


def real(name: str) -> builds.Build:
    return builds.read(REAL / f"{name}.jsonl")


def test_a_build_for_several_platforms_has_the_steps_of_each() -> None:
    build = real("platforms")
    assert [(s.platform, s.stage, s.number, s.key) for s in build.steps] == [
        ("linux/arm64", "stage-1", 1, "COPY"),
        ("linux/amd64->arm64", "build", 2, "RUN"),
        ("linux/amd64", "stage-1", 1, "COPY"),
        ("linux/amd64", "build", 1, "FROM"),
        ("linux/amd64", "build", 2, "RUN"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "[linux/amd64 build 2/2] RUN x",
        "[linux/arm/v7 build  2/12] RUN x",
        "[windows(10.0.17763)/amd64->linux/arm64 build 2/2] RUN x",
        "[build 2/2] RUN x",
    ],
)
def test_a_step_is_known_with_and_without_a_platform(name: str) -> None:
    (step,) = builds.parse([vertex("a", name, 1, 2)]).steps
    assert (step.stage, step.number, step.instruction) == ("build", 2, "RUN x")


def test_of_eleven_steps_none_is_missed() -> None:
    steps = real("eleven").steps
    assert [s.number for s in steps] == [*range(1, 12)]
    assert [s.short for s in steps[1:3]] == ["RUN echo 1", "RUN echo 2"]


def test_a_linked_copy_is_one_step_that_stands_on_the_one_before_it() -> None:
    steps = [s for s in real("linked").steps if s.stage == "stage-3"]
    assert [(s.number, s.key) for s in steps] == [
        *((2, "WORKDIR"), (3, "COPY"), (4, "COPY"), (5, "COPY"))
    ]
    assert [s.parent for s in steps[1:]] == [s.digest for s in steps[:-1]]


def test_what_the_base_asked_for_is_the_instruction_that_it_is() -> None:
    steps = real("triggers").steps
    assert [s.key for s in steps] == ["FROM", "RUN", "COPY", "RUN"]


def test_a_command_that_speaks_of_something_canceled_has_failed_itself() -> None:
    build = real("says-canceled")
    assert build.failed and build.failed.short == "RUN echo 3 canceled orders; exit 1"
    assert build.where == "line 2 `RUN echo 3 canceled orders; exit 1`"
    build = real("broken-off")
    assert build.failed and (build.failed.stage, build.failed.number) == ("b", 2)
    assert build.error.endswith("exit code: 3")


@pytest.mark.parametrize(
    ("error", "own"),
    [
        ("context canceled", False),
        ("Canceled: context canceled", False),
        ("rpc error: code = Canceled desc = grpc: the client connection is closing", False),
        ("failed to load ref: context canceled", False),
        ('process "x" did not complete successfully: exit code: 137: context canceled', False),
        ('process "echo context canceled" did not complete successfully: exit code: 1', True),
        ('failed to calculate checksum of ref a::b: "/canceled": not found', True),
    ],
)
def test_only_the_end_of_an_error_says_that_a_step_was_broken_off(error: str, own: bool) -> None:
    build = builds.parse([vertex("a", "[2/2] RUN x", 1, 2, error=error)])
    assert bool(build.failed) is own


def test_what_a_build_prints_is_never_taken_for_a_step() -> None:
    fake = '{"vertexes": [{"name": "no digest"}], "logs": [{"vertex": "b", "data": "eA=="}]}'
    lines = [vertex("a", "[2/2] RUN x", 1, 2), log("a", vertex("z", "[1/1] RUN y", 1, 2)), fake]
    lines += ["42", "null", "[]", '{"vertexes": 3, "statuses": [1], "warnings": "x"}']
    assert [s.instruction for s in builds.parse(lines).steps] == ["RUN x"]


def test_a_sign_that_breaks_lines_elsewhere_does_not_break_a_step(tmp_path: Path) -> None:
    name = '[2/2] RUN printf "a\u0085b"'
    line = vertex("a", name, 1, 2).replace("\\u0085", "\u0085")  # Go writes it as it is
    file = tmp_path / "build.jsonl"
    file.write_text(f"{line}\n", encoding="utf-8")
    said = Completed(("docker",), 0, "", f"{line}\n")
    for build in (
        builds.read(file),
        builds.run(tmp_path, runner=FakeRunner({"docker build": said})),
    ):
        assert [s.instruction for s in build.steps] == [name[6:]]


def test_an_instruction_may_be_followed_by_a_tab() -> None:
    # The builder writes all up to the first space in capitals.
    lines = [vertex("a", "[2/3] RUN\tNPM ci", 1, 2), vertex("b", "[3/3] COPY\t. .", 2, 3)]
    assert [s.key for s in builds.parse(lines).steps] == ["RUN", "COPY"]


@pytest.mark.parametrize(
    ("instruction", "takes"),
    [
        ("COPY --link --chown=1:1 --from=build /a /b", True),
        ("ONBUILD COPY --from=build /a /b", True),
        ("RUN --network=none --mount=type=bind,from=build,target=/a true", True),
        ("RUN --mount=type=cache,target=/a true", False),
        ("RUN docker run --mount=type=bind,from=build true", False),
        ("COPY a--from=b /c", False),
    ],
)
def test_what_takes_from_another_stage_says_so_in_its_own_options(
    instruction: str, takes: bool
) -> None:
    assert builds.Step("", 2, instruction, False, 0, 1).takes is takes


def test_a_stage_that_takes_from_its_own_base_stands_on_it() -> None:
    one = [
        vertex("f", "[a 1/1] FROM docker.io/library/node:24", 1, 1),
        vertex("c", "[stage-1 2/2] COPY --from=a /x /y", 1, 2, inputs=["f"]),
    ]
    copied = builds.parse(one).steps[-1]
    assert (copied.parent, copied.sources) == ("f", ("f",))
    one[1] = vertex("c", "[stage-1 1/1] COPY --from=a /x /y", 1, 2, inputs=["f"])
    copied = builds.parse(one).steps[-1]  # FROM scratch: nothing stands for it
    assert (copied.parent, copied.sources) == ("", ("f",))


def test_only_dockers_own_registry_is_left_out_of_a_name() -> None:
    for image, short in (
        ("docker.io/library/node:24@sha256:" + "0" * 64, "node:24"),
        ("localhost:5001/docker.io/library/node:24", "localhost:5001/docker.io/library/node:24"),
    ):
        assert builds.Step("", 1, f"FROM {image}", False, 0, 1).short == f"FROM {short}"


def test_each_image_that_a_build_takes_from_is_known_stages_aside() -> None:
    assert real("named").images == ("node:24-slim", "debian:bookworm-slim")
    assert real("front-end").images[0] == "docker/dockerfile:1"
    assert real("no-base").images == ("nosuchimage:1",)


def test_what_a_front_end_says_without_a_step_is_told_with_its_line() -> None:
    build = real("front-end")
    assert (build.no_front_end, build.no_base) == ("docker.io/docker/dockerfile:1", "")
    assert build.where == "line 1 `# syntax=docker/dockerfile:1`"
    build = real("capital")
    # Two questions were broken off because of it: neither base is missing.
    assert (build.no_base, build.where) == ("", "line 3 `FROM Build AS two`")
    assert real("no-base").no_base == "nosuchimage:1"
    assert "FromAsCasing" in real("lint").warnings[0]


def test_an_edit_rebuilds_from_its_copy_on() -> None:
    build = real("edited")
    assert [(s.number, s.key, s.cached) for s in build.steps] == [
        (1, "FROM", True),
        (2, "WORKDIR", True),
        (3, "COPY", True),
        (4, "RUN", True),
        (5, "COPY", False),
        (6, "RUN", False),
    ]
    assert [s.short for s in build.ran] == ["COPY . .", "RUN npm run build"]
    assert build.steps[0].short == "FROM node:24-slim"
    assert sum(s.seconds for s in build.ran) < build.seconds
    # Of the context only what changed is sent, and .dockerignore is not of it.
    assert 0 < build.context_bytes < 10_000


def test_stages_keep_their_names_and_their_own_numbers() -> None:
    build = real("stages")
    assert {s.stage for s in build.steps} == {"build", "dependencies", "stage-2"}
    assert build.find("npm ci --omit=dev") in build.steps
    assert build.find("npm run build") in build.ran
    assert not build.error
