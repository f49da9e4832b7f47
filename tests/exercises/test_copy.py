"""course.exercises.kit.copy: why a build made no image, told from what real builds reported."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from course.core import locks
from course.core.names import PROCESS_LABEL
from course.exercises.kit import build_errors
from course.exercises.kit.lab import Lab
from course.exercises.kit.verdict import ENVIRONMENT, Wrong
from course.measure import builds, leftovers
from tests.fake_docker import FakeDocker
from tests.foreign import other

REAL = Path(__file__).parents[1] / "builds"


def real(name: str) -> builds.Build:
    return builds.read(REAL / f"{name}.jsonl")


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


def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(home: Path) -> None:
    lab = Lab("mini-1")
    os.mkfifo(lab.write("a", "").with_name("pipe"))
    for name, to in (("zero", "/dev/zero"), ("elsewhere", "/etc/hostname"), ("loop", "loop")):
        (lab.folder() / name).symlink_to(to)
    (lab.folder() / "large").write_bytes(b"x" * 4_000_001)
    (lab.folder() / "inside").symlink_to("a")
    said = {}
    for name in ("pipe", "zero", "elsewhere", "loop", "large"):
        with pytest.raises(Wrong) as told:
            lab.read(name)
        assert told.value.cause == "unreadable"
        said[name] = told.value.saw.partition("read: ")[2]
    assert said == {
        "pipe": "it is no regular file",
        "zero": "it is a link to /dev/zero",
        "elsewhere": "it is a link to /etc/hostname",
        "loop": "Too many levels of symbolic links",
        "large": "it is larger than 4 MB",
    }
    assert lab.read("inside") == ""


def test_a_folder_that_deletes_itself_is_missed_by_name(home: Path) -> None:
    lab = Lab("mini-1")
    with pytest.raises(Wrong) as told, lab.copy():
        pass
    assert told.value.cause == "no-folder" and "course reset mini-1" in told.value.try_
    with pytest.raises(Wrong, match=r"mini-1/word\.txt is not there"):
        lab.read("word.txt")


def test_two_checks_at_once_have_nothing_in_common(home: Path) -> None:
    Lab("mini-1").write("a.mjs", "mine")
    with Lab("mini-1").copy() as one:
        with Lab("mini-1").copy() as other_:
            assert one.folder != other_.folder and one.tag != other_.tag
            other_.write("a.mjs", "theirs")
        assert not other_.folder.exists() and (one.folder / "a.mjs").read_text() == "mine"


def test_what_killed_processes_left_behind_is_removed_and_nothing_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(home))
    pid, started, space = locks.process_key().split("-")
    dead = f"{pid}-{started}0-{space}"
    here = leftovers.folder()
    gone = here.with_name(here.name.replace(locks.process_key(), dead))
    gone.mkdir()
    (home / "course-copy-of-somebody").mkdir()

    def two(key: str) -> list[dict[str, object]]:
        named = {"dead": f"{dead}-nonce", "alive": locks.process_key()}
        return [{key: k, "Labels": {PROCESS_LABEL: v}} for k, v in named.items()]

    lists = {
        "/containers/json": two("Id"),
        "/networks": two("Id"),
        "/volumes": {"Volumes": two("Name")},
        "/images/json": [
            {"RepoTags": [f"course-check:{p}-mini-1"]} for p in (dead, locks.process_key())
        ],
    }
    with FakeDocker(**lists, **{"/volumes/dead": b""}) as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.host)
        Lab("mini-1").docker.ping()
    assert fake.removed == [
        "/containers/dead",
        "/networks/dead",
        "/volumes/dead",
        f"/images/course-check:{dead}-mini-1",
    ]
    assert sorted(p.name for p in home.glob("course-copy-*")) == sorted(
        [here.name, "course-copy-of-somebody"]
    )


def test_an_edit_of_the_copy_never_reaches_a_file_that_a_link_names(home: Path) -> None:
    lab = Lab("mini-1")
    mine = home / "mine"
    mine.mkdir()
    (mine / "edition.mjs").write_text("mine")
    src = lab.write("real/a.mjs", "a").parent.parent / "src"
    src.mkdir()
    (src / "edition.mjs").symlink_to(mine / "edition.mjs")
    (src / "inside.mjs").symlink_to("../real/a.mjs")
    (src.parent / "lib").symlink_to(mine)
    with lab.copy() as copy:
        for name in ("src/edition.mjs", "lib/edition.mjs", "src/inside.mjs", "new/b.mjs"):
            copy.write(name, "theirs")
            assert (copy.folder / name).read_text() == "theirs"
        assert (copy.folder / "real" / "a.mjs").read_text() == "theirs"
    assert (mine / "edition.mjs").read_text() == "mine"
    assert (src / "inside.mjs").read_text() == "a"
    assert not copy.folder.exists()


def test_what_takes_the_place_of_a_file_to_edit_gives_way(home: Path) -> None:
    lab = Lab("mini-1")
    lab.write("a.mjs", "mine").chmod(0o444)
    folder = lab.folder()
    os.mkfifo(folder / "b.mjs")
    (folder / "c.mjs").mkdir()
    (folder / "c.mjs" / "x").write_text("x")
    (folder / "loop").symlink_to("loop")
    (folder / "src").write_text("no folder")
    with lab.copy() as copy:
        for name in ("a.mjs", "b.mjs", "c.mjs", "loop", "src/d.mjs"):
            copy.write(name, "theirs")
            assert (copy.folder / name).read_text() == "theirs"
    assert (folder / "a.mjs").read_text() == "mine" and (folder / "src").is_file()


@pytest.mark.parametrize("name", ["Dockerfile", "dockerfile"])
def test_docker_finds_a_dockerfile_by_two_names(
    home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("mini-1")
    lab.folder().mkdir(parents=True)
    # A comment in another encoding is no fault as long as the image can be built.
    (lab.folder() / name).write_bytes(b"# f\xfcr\nFROM scratch\n")
    monkeypatch.setattr(Lab, "env", lambda _: {})
    built = builds.Build((), 1)
    monkeypatch.setattr(builds, "run", lambda *_, **__: built)
    with lab.copy() as copy:
        assert copy.attempt() is built
        built = builds.Build((), 1, 0, "string field contains invalid UTF-8")
        with pytest.raises(Wrong) as told:
            copy.attempt()
    assert told.value.cause == "not-utf8"


def test_a_name_that_docker_does_not_send_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab("mini-1")
    lab.write("Dockerfile", "FROM scratch")
    lab.write("src/caf\udce9.ts", "x")
    monkeypatch.setattr(Lab, "env", lambda _: {})
    error = "rpc error: code = Internal desc = grpc: string field contains invalid UTF-8"
    monkeypatch.setattr(builds, "run", lambda *_, **__: builds.Build((), 1, 0, error))
    with lab.copy() as copy, pytest.raises(Wrong) as told:
        copy.attempt()
    assert told.value.cause == "name-not-utf8"
    assert "mini-1/src/caf\\xe9.ts is not UTF-8" in told.value.saw


def test_a_dockerfile_that_is_a_link_out_of_the_folder_is_named(home: Path) -> None:
    lab = Lab("mini-1")
    lab.folder().mkdir(parents=True)
    (home / "D").write_text("FROM scratch")
    (lab.folder() / "Dockerfile").symlink_to(home / "D")
    with lab.copy() as copy, pytest.raises(Wrong) as told:
        copy.attempt()
    assert told.value.cause == "no-dockerfile" and "is a link to" in told.value.saw


def test_a_link_that_somebody_put_among_the_left_copies_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    with other() as foreign:
        pass
    gone = locks.process_key(foreign.pid)
    ours, left = tmp_path / "documents", tmp_path / f"course-copy-{gone}-left"
    for folder in (ours, left):
        folder.mkdir()
        (folder / "file").write_text("mine")
    (tmp_path / f"course-copy-{gone}-x").symlink_to(ours)
    docker = MagicMock()
    docker.api.containers.return_value = docker.api.networks.return_value = []
    docker.api.volumes.return_value, docker.api.images.return_value = {"Volumes": []}, []
    with monkeypatch.context() as somebody:
        somebody.setattr("os.geteuid", lambda: 12345)
        assert list(leftovers.find(docker)) == []
    assert [name for name, _ in leftovers.find(docker)] == [str(left)]
    leftovers.remove(docker)
    assert not left.exists() and (ours / "file").read_text() == "mine"
