"""course.core.private and course.core.locks: who reads a file, and whose process it is."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from course.core import locks, paths, private
from course.core.errors import CourseError
from course.engine import docker
from tests.foreign import other, recycled


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_private_file_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    seen: list[int] = []
    file = tmp_path / "state" / "secret"
    old = os.umask(umask)
    try:
        private.write(file, "x")
        file.chmod(0o666)
        private.write(file, "y")
        seen += [mode(file), mode(file.parent)]
    finally:
        os.umask(old)
    assert seen == [0o600, 0o700] and file.read_text() == "y"
    assert [p.name for p in file.parent.iterdir()] == ["secret"]


def test_a_folder_that_was_open_is_closed(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    (tmp_path / "state").chmod(0o777)
    assert mode(private.folder(tmp_path / "state")) == 0o700


def test_a_link_in_the_files_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "secret").symlink_to(theirs)
    private.write(tmp_path / "state" / "secret", "x")
    assert theirs.read_text() == "theirs" and not (tmp_path / "state" / "secret").is_symlink()


def test_a_folder_for_everybody_or_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(CourseError, match="is shared"):
        private.write(shared / "x", "x")
    assert mode(shared) == 0o1777 and not list(shared.iterdir())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(CourseError, match="belongs to another user"):
        private.write(theirs / "x", "x")


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


def test_a_process_of_another_container_may_live_and_is_never_ended() -> None:
    with other() as foreign:
        elsewhere = locks.process_key(foreign.pid).rpartition("-")[0] + "-1"
        assert locks.is_alive(elsewhere) and locks.find_process(elsewhere) is None


def test_a_name_that_was_taken_when_the_process_had_ended_never_lives() -> None:
    with other() as foreign:
        pass
    gone = locks.process_key(foreign.pid)
    assert not locks.is_alive(gone) and locks.find_process(gone) is None


def test_a_process_whose_name_is_cut_within_a_letter_is_known() -> None:
    # The system keeps 15 bytes of it: half a letter, where letters have two.
    rename = (
        "import ctypes, sys; ctypes.CDLL(None).prctl(15, 'a приложение'.encode()[:15], 0, 0, 0);"
        "print(flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", rename]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        named = locks.process_key(process.pid)
        assert locks.is_alive(named) and locks.find_process(named) is not None
        process.communicate()
    assert not locks.is_alive(named)
