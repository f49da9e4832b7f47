"""course.engine.docker: Docker found, started, asked, and what of it is removed."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

import pytest

from course.artifacts import debian, images, pulls, tools
from course.core import paths
from course.core import process as process_
from course.core.errors import CourseError
from course.core.names import OWNER_LABEL
from course.core.process import Completed, FakeRunner, RealRunner
from course.engine import docker, lifecycle, up
from course.engine.docker import Docker
from tests.engine.variables import said
from tests.fake_docker import INFO, FakeDocker
from tests.foreign import other, recycled

HOST = "unix:///toy.sock"
DIGEST = f"sha256:{'1' * 64}"


def quiet(detail: str, fraction: float | None) -> None:
    """Hear nothing."""


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


def test_a_docker_that_was_started_is_known_and_another_process_is_not(home: Path) -> None:
    with other() as foreign:
        docker.remember(foreign.pid)
        found = docker.remembered()
        assert found is not None and found.pid == foreign.pid
        record = paths.state() / "dockerd.json"
        for gone in (
            {"process": recycled(foreign)},
            {"process": "0-0-0"},
            {"process": f"{foreign.pid}-"},
            {"pid": foreign.pid, "started": 1.0},
            {"pid": foreign.pid},
            [foreign.pid],
        ):
            record.write_text(json.dumps(gone))
            assert docker.remembered() is None


def test_a_docker_of_our_own_comes_up_in_this_order(home: Path) -> None:
    docker = Docker(FakeRunner())
    assert [action.name for action in docker.actions()] == [
        "a Docker that the course can work with",
        "a dockerd",
        "its address",
        "the docker command and buildx",
        "a version that is new enough",
    ]
    # Its data is waited for when the one that held it has ended, and before the next one starts.
    names = [action.name for action in docker.starting()]
    assert names.index("none of ours") < names.index("its data, for it alone")
    assert names[-2:] == ["its process", "its answer"]


def test_a_dockerd_that_ends_at_once_is_not_waited_for(home: Path) -> None:
    docker._log().parent.mkdir(parents=True)
    docker._log().write_text("level=info\nfailed to start daemon: no space left on device\n")
    began = time.monotonic()
    with pytest.raises(CourseError, match="no space left on device") as caught:
        lifecycle.run(Docker(FakeRunner()).starting()[-1:], quiet)
    assert "an answer within 60 s" in caught.value.want
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("info", "has"),
    [
        ({"MemoryLimit": True, "CpuCfsQuota": True}, {"containers", "cgroups"}),
        ({"MemoryLimit": False, "CpuCfsQuota": True}, {"containers"}),
        ({"MemoryLimit": True}, {"containers"}),
    ],
)
def test_limits_are_asked_of_docker_and_not_assumed(
    monkeypatch: pytest.MonkeyPatch, info: dict[str, bool], has: set[str]
) -> None:
    with FakeDocker(**{"/info": {**INFO, **info}}) as answering:
        monkeypatch.setenv("DOCKER_HOST", answering.host)
        assert Docker(FakeRunner()).capabilities() == has


def test_a_docker_that_does_not_say_what_it_can_do_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FakeDocker(**{"/info": b"no JSON"}) as answering:
        monkeypatch.setenv("DOCKER_HOST", answering.host)
        with pytest.raises(CourseError, match="not `docker info`"):
            Docker(FakeRunner()).capabilities()


def test_only_what_carries_the_label_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeRunner(
        {"docker": "", "docker container ls": "abc\n", "docker volume ls --quiet": "v\n"}
    )
    Docker(fake).remove_owned()
    # A volume that is the course's may hold what was pushed; what a check left does not.
    assert {call[1]: call[-1] for call in fake.calls if "ls" in call} == {
        "container": "label=course.owner=course",
        "network": "label=course.owner=course",
        "volume": "label=course.process",
        "image": "reference=course-check:*",
    }
    removed = [call[1:] for call in fake.calls if "rm" in call]
    assert removed == [
        ("container", "rm", "--force", "--volumes", "abc"),
        ("volume", "rm", "--force", "v"),
    ]


def test_the_image_of_a_check_is_removed_by_its_name() -> None:
    # Of a copy that nothing was changed in, its content may be that of the learner's own image.
    fake = FakeRunner({"docker": "", "docker image ls": "course-check:1-2-3-x\n"})
    Docker(fake).remove_owned()
    assert {call for call in fake.calls if call[1] == "image" and "--quiet" in call} == {
        ("docker", "image", "ls", "--quiet", "--format", "{{.Repository}}:{{.Tag}}", "--filter")
        + ("reference=course-check:*",)
    }
    assert ("docker", "image", "rm", "--force", "course-check:1-2-3-x") in fake.calls


def test_a_docker_that_we_did_not_start_is_not_stopped(home: Path) -> None:
    fake = FakeRunner()
    Docker(fake).stop()
    assert fake.calls == []


def test_the_docker_host_of_the_environment_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    docker = Docker(FakeRunner())
    assert docker.host() == "tcp://127.0.0.1:1"
    assert not docker.answers()
    assert os.environ["DOCKER_HOST"] == "tcp://127.0.0.1:1"


@pytest.mark.parametrize(
    ("host", "said", "try_"),
    [
        ("ssh://me@vm.example", "paramiko", "ssh -fNT -L"),
        ("ssh://me@vm.example:2222/run/docker.sock", "paramiko", "ssh -fNT -L"),
        ("npipe:////./pipe/docker_engine", "a pipe of Windows", "WSL"),
        ("tcp://192.0.2.1:2376", "another machine", "run the course over there"),
        ("tcp://me:hunter22@192.0.2.1:2376", "another machine", "run the course over there"),
        ("tcp://127.0.0.1:port", "Port", "unset DOCKER_HOST"),
        ("http://127.0.0.1:2375", "`http://127.0.0.1:2375`", "unset DOCKER_HOST"),
        ("/var/run/docker.sock", "`/var/run/docker.sock`", "unset DOCKER_HOST"),
        ("unix://", "`unix://`", "unset DOCKER_HOST"),
    ],
)
def test_a_docker_that_the_course_cannot_work_with_is_named_before_anything_is_done(
    home: Path, monkeypatch: pytest.MonkeyPatch, host: str, said: str, try_: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    quiet = FakeRunner()
    assert not Docker(quiet).answers()
    for wanted in (up.engine, lambda: Docker(quiet).ensure(lambda *_: None)):
        with pytest.raises(CourseError) as caught:
            wanted()
        assert said in caught.value.saw and try_ in caught.value.try_
        assert "DOCKER_HOST" in caught.value.saw and "hunter22" not in str(caught.value)
    assert quiet.calls == []


def test_where_buildx_is_ours_the_learners_logins_and_proxies_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = tmp_path / ".docker", tmp_path / "ours"
    theirs.mkdir()
    ours.mkdir()
    (theirs / "config.json").write_text('{"auths": {}}')
    monkeypatch.setenv("DOCKER_CONFIG", str(ours))  # as in a terminal of JupyterLab
    monkeypatch.setenv("HOME", str(tmp_path))
    docker._share_settings(ours)
    assert (ours / "config.json").read_text() == '{"auths": {}}'
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "elsewhere"))
    docker._share_settings(ours)
    assert not (ours / "config.json").exists()
    (ours / "config.json").write_text("a login made in a terminal of ours")
    monkeypatch.delenv("DOCKER_CONFIG")
    docker._share_settings(ours)
    assert (ours / "config.json").read_text() == "a login made in a terminal of ours"


def test_commands_of_docker_find_it_and_the_courses_tools_first(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", HOST)
    mine = str(paths.state() / "bin")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{mine}")
    commands = Docker(RealRunner()).commands()
    assert said(commands, "DOCKER_HOST") == HOST
    assert said(commands, "PATH").split(os.pathsep)[0] == mine


def test_a_volume_that_is_not_ours_is_not_purged(home: Path) -> None:
    nothing = {"docker context inspect": 1, "docker image inspect": 1}
    fake = FakeRunner({**nothing, "docker volume ls": "", "docker image rm": ""})
    Docker(fake).purge()
    assert not [call for call in fake.calls if call[:3] == ("docker", "volume", "rm")]
