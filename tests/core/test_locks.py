"""course.core.locks: whose process it is, and whether it lives."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from course.core import locks
from course.core.errors import CourseError
from tests.foreign import other


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
