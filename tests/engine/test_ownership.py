"""What the course owns, and what it therefore may remove."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from course.artifacts import debian, docker_build, images, pulls, tools
from course.core import locks, paths
from course.core import process as process_
from course.core.errors import CourseError
from course.core.names import OWNER_LABEL
from course.core.process import Completed, FakeRunner
from course.engine import docker
from course.engine.docker import Docker

DIGEST = f"sha256:{'1' * 64}"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


def test_no_image_carries_the_owners_label(home: Path) -> None:
    # It would be inherited by the learner's own images and containers.
    fake = FakeRunner({"docker build": ""})
    docker_build.build(Path("x"), "x:1", quiet, fake, labels={images.KEY: "abc"})
    words = fake.calls[0]
    assert words[words.index("--label") + 1] == "course.recipe=abc"
    assert OWNER_LABEL not in words


def test_purge_takes_what_the_course_made_or_pulled(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulls, "_unreached", [])
    absent = FakeRunner({"docker image inspect": 1, "docker pull": "", "docker tag": ""})
    images.ensure("registry:2", quiet, runner=absent)
    # Now there: registry:2 (pulled by us), postgres:15 (the learner's own), node:24-slim (made).
    fake = FakeRunner(
        {
            "docker image inspect": 1,
            "docker image inspect registry:2": f'|amd64|["registry@{DIGEST}","mine@{DIGEST}"]\n',
            "docker image inspect postgres:15": "\n",
            "docker image inspect node:24-slim": "0123456789abcdef\n",
            "docker image rm": "",
            "docker volume ls": "course-registry\nof-a-check\n",
            "docker context inspect": 1,
            "docker volume rm": "",
        }
    )
    Docker(fake).purge()
    removed = [call[-1] for call in fake.calls if call[:3] == ("docker", "image", "rm")]
    assert set(removed) == {
        "registry:2",
        f"registry@{DIGEST}",
        "node:24-slim",
        "course/rootfs:bookworm",
        "course/kind-base:latest",
    }
    for volume in ("of-a-check", "course-registry"):
        assert ("docker", "volume", "rm", "--force", volume) in fake.calls
    listed = next(call for call in fake.calls if call[:3] == ("docker", "volume", "ls"))
    assert f"label={OWNER_LABEL}" in listed


def test_a_command_that_fails_while_removing_does_not_stop_the_rest(home: Path) -> None:
    fake = FakeRunner(
        {
            "docker image inspect": "0123456789abcdef\n",
            "docker context inspect": 1,
            "docker image rm": Completed(("docker",), 1, "", "in use"),
            "docker volume": "",
        }
    )
    Docker(fake).purge()
    removed = [call for call in fake.calls if call[:3] == ("docker", "image", "rm")]
    assert len(removed) == len(images.catalogue()) + 2


def named_in(*how: str) -> tuple[subprocess.Popen[str], str]:
    """A process, and how it names itself."""
    code = (
        "import sys; from course.core.locks import process_key; "
        "print(process_key(), flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*how, sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_process_lives_until_it_ends_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process, name = named_in()
    create_time = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: create_time(self) + 3600)
    assert locks.is_alive(name) and locks.is_alive(locks.process_key())
    pid, started, space = name.split("-")
    assert not locks.is_alive(f"{pid}-{started}0-{space}"), "its number, given out again"
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not locks.is_alive(name), "nor one that its parent has not taken note of"
    process.communicate()
    assert not locks.is_alive(name)


def test_a_process_of_a_container_is_not_taken_for_dead() -> None:
    # In there it has another number, at which nobody lives out here.
    if subprocess.run(["unshare", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("needs the right to make a namespace")
    process, name = named_in("unshare", "--pid", "--fork", "--kill-child")
    process.communicate()
    assert name.startswith("1-") and locks.is_alive(name)
    assert locks.is_alive("4194305-1"), "nor one of which less is known"


def test_a_name_that_is_no_process_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_space", str)
    assert locks.is_alive("of-somebody") and locks.is_alive("latest")


def test_a_file_that_another_program_holds_is_waited_for_and_not_written_to(tmp_path: Path) -> None:
    file = tmp_path / "meta.db"
    said = {"what": "another Docker uses it", "try_": "end that one"}
    locks.wait_until_free(file, wait=0, **said)
    assert not file.exists()
    file.write_text("kept")
    with file.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CourseError, match="another Docker uses it"):
            locks.wait_until_free(file, wait=0.1, **said)
    locks.wait_until_free(file, wait=0, **said)
    assert file.read_text() == "kept"


def test_dockerd_is_not_started_on_a_folder_that_another_uses(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_RUN", home / "run"), ("_START_WAIT", 0.1)):
        monkeypatch.setattr(docker, name, value)
    monkeypatch.setattr(debian, "ensure", lambda *_, **__: None)
    bins = {name: Path(name) for name in ("docker", "dockerd", "docker-proxy")}
    monkeypatch.setattr(tools, "ensure", lambda *_, **__: bins)
    monkeypatch.setattr(tools, "link", lambda _: home)
    monkeypatch.setattr(process_, "spawn", lambda *_, **__: pytest.fail("it was started"))
    held = paths.cache() / "docker" / docker._CONTAINERD_FILE
    held.parent.mkdir(parents=True)
    held.touch()
    with held.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(CourseError, match="another Docker uses"):
            Docker(FakeRunner())._start(quiet)
