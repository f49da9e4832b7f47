"""course.measure.leftovers: what dead processes left is removed, and nothing else."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import pytest

from course.core import locks
from course.core.names import PROCESS_LABEL
from course.exercises.kit.lab import Lab
from course.measure import leftovers
from tests.fake_docker import FakeDocker
from tests.foreign import other


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
