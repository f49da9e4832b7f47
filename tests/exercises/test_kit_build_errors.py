"""course.exercises.kit.build_errors: why a build made no image, as real builds reported it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from course.exercises.kit import build_errors
from course.exercises.kit.verdict import ENVIRONMENT, Wrong
from course.measure import builds

REAL = Path(__file__).parents[1] / "builds"


def real(name: str) -> builds.Build:
    return builds.read(REAL / f"{name}.jsonl")


def test_the_notes_dockerfile_fails_in_the_step_that_needs_what_was_left_out() -> None:
    build = real("notes")
    assert build.failed is build.find("npm run build")
    install = build.find("npm ci")
    assert install and any("--omit=dev" in line for line in install.log)
    wrong = build_errors.wrong_build(build, "dockerfile-2", 60)
    assert (wrong.cause, wrong.saw) == (
        "build-fails",
        "step 6 `RUN npm run build` failed: exit code: 127: sh: 1: tsc: not found",
    )


def test_what_another_step_broke_off_has_not_failed_itself() -> None:
    build = real("side-by-side")
    assert build.failed and build.failed.stage == "b"
    last = build.find("COPY --from=b")
    assert last and not last.begun and last not in build.ran
    assert "step 2 of stage b" in build_errors.wrong_build(build, "x-1", 60).saw


@pytest.mark.parametrize(
    ("name", "cause", "saw"),
    [
        ("unparsed", "dockerfile-syntax", "line 3"),
        ("not-there", "copy-missing", "nothere"),
        ("front-end", "no-front-end", "line 1 `# syntax=docker/dockerfile:1`"),
        ("front-end", "no-front-end", "registry-1.docker.io: no such host"),
        ("capital", "build-fails", "line 3 `FROM Build AS two`"),
        ("lint", "build-fails", "casing do not match (line 2)"),
        ("no-base", "no-base", "line 1 `FROM nosuchimage:1`"),
        ("says-canceled", "build-fails", "step 2 `RUN echo 3 canceled orders; exit 1` failed"),
    ],
)
def test_a_dockerfile_that_cannot_be_built_is_told_by_line_or_file(
    name: str, cause: str, saw: str
) -> None:
    wrong = build_errors.wrong_build(real(name), "dockerfile-1", 60)
    assert wrong.cause == cause
    assert saw in wrong.saw and "dockerfile-1" in wrong.saw + wrong.try_


def test_a_file_that_another_stage_does_not_have_is_not_looked_for_in_the_folder() -> None:
    said = 'failed to calculate checksum of ref a::b: "/app/dist": not found'
    step = builds.Step("", 2, "COPY --from=build /app/dist ./", False, 0, 1, said)
    wrong = build_errors.wrong_build(builds.Build((step,), 1, 0, said), "x-1", 60)
    assert wrong.cause == "copy-missing" and "takes from has no /app/dist" in wrong.saw
    assert "ls" not in wrong.try_


@pytest.mark.parametrize(
    "option", ["--mount=type=bind,from=build,source=/app/dist,target=/d", "--mount=from=build"]
)
def test_so_it_is_with_a_file_that_a_mount_takes(option: str) -> None:
    said = 'failed to calculate checksum of ref a::b: "/app/di\\"st": not found'
    step = builds.Step("", 2, f"RUN {option} cp -r /d .", False, 0, 1, said)
    wrong = build_errors.wrong_build(builds.Build((step,), 1, 0, said), "x-1", 60)
    assert "takes from has no /app/di" in wrong.saw and ".dockerignore" not in wrong.saw


NPM_CI = 'process "/bin/sh -c npm ci" did not complete successfully: exit code: 228'


@pytest.mark.parametrize(
    ("error", "log", "saw"),
    [
        (NPM_CI, ("npm error ENOSPC: no space left on device, write",), "disk .* `RUN npm ci`"),
        ("failed to copy files: no space left on device", (), "disk .* `RUN npm ci`"),
        ("", (), "disk .* failed to commit"),
        ("", (), "Docker Hub's limit .* toomanyrequests"),
    ],
)
def test_a_full_disk_and_a_registrys_limit_are_no_wrong_answer(
    error: str, log: tuple[str, ...], saw: str
) -> None:
    step = builds.Step("", 2, "RUN npm ci", False, 0, 1, error, log)
    whole = "failed to commit: write /var/lib/x: no space left on device"
    if "limit" in saw:
        whole = "toomanyrequests: You have reached your pull rate limit"
    build = builds.Build((step,), 1, 0, error or whole, no_base="" if error else "node:22")
    wrong = build_errors.wrong_build(build, "x-1", 60)
    assert wrong.cause == ENVIRONMENT and re.search(saw, wrong.saw)


def test_a_command_that_speaks_of_a_full_disk_has_failed_itself() -> None:
    said = 'process "/bin/sh -c echo no space left on device 429 too many requests; exit 1" did not'
    step = builds.Step("", 2, "RUN x", False, 0, 1, said, ("npm error 429 Too Many Requests",))
    assert (
        build_errors.wrong_build(builds.Build((step,), 1, 0, said), "x-1", 60).cause
        == "build-fails"
    )


def test_a_build_that_does_not_end_names_its_step() -> None:
    lines = (REAL / "notes.jsonl").read_text().splitlines()
    began = next(i for i, line in enumerate(lines) if "[6/6]" in line and "started" in line)
    build = builds.parse([*lines[: began + 1], "ERROR: no end after 60 s"])
    assert build.pending is build.find("npm run build")
    wrong = build_errors.wrong_build(build, "dockerfile-2", 60)
    assert wrong.cause == "build-hangs"
    assert "step 6" in wrong.saw and "60 s" in wrong.saw


def test_a_base_that_is_not_there_and_a_program_for_another_processor() -> None:
    build = builds.Build((), 0.1, 0, "pull access denied", "", "nosuch:1")
    assert build_errors.wrong_build(build, "x-1", 60).cause == "no-base"
    log = ("exec /bin/sh: exec format error",)
    step = builds.Step("", 2, "RUN true", False, 0, 1, "exit code: 255", log)
    build = builds.Build((step,), 1, 0, "exit code: 255")
    assert build_errors.wrong_build(build, "x-1", 60).cause == "architecture"


@pytest.mark.parametrize(
    ("content", "cause"), [(None, "no-file"), (b"\xff\xfeF\x00", "not-utf8"), ("", "unreadable")]
)
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(
    tmp_path: Path, content: bytes | str | None, cause: str
) -> None:
    file = tmp_path / "Dockerfile"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        file.mkdir()
    with pytest.raises(Wrong) as told:
        build_errors.decode(file, "x-1/Dockerfile", "x-1")
    assert told.value.cause == cause
    assert "x-1/Dockerfile" in told.value.saw and "course reset x-1" in told.value.try_
