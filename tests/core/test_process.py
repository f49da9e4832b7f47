"""course.core.process: the one place that starts subprocesses."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from course.core.process import CommandError, Completed, FakeRunner, RealRunner, spawn
from tests.until import until

PYTHON = sys.executable


def python(code: str) -> list[str]:
    return [PYTHON, "-c", code]


def test_both_streams_and_the_exit_code_come_back() -> None:
    done = RealRunner().run(
        python("import sys; print('out'); print('err', file=sys.stderr)"), timeout=20
    )
    assert (done.code, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_a_failure_names_command_code_last_lines_and_what_to_try() -> None:
    code = "import sys; print('why', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandError) as caught:
        RealRunner().run(python(code), timeout=20, try_="course doctor")
    text = str(caught.value)
    assert "exit code 3" in text and "why" in text and "try:  course doctor" in text
    assert PYTHON in text
    assert caught.value.completed.code == 3


def test_a_failure_may_be_asked_for() -> None:
    assert RealRunner().run(python("raise SystemExit(4)"), timeout=20, check=False).code == 4


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match=r"no-such-program.*cannot be started"):
        RealRunner().run(["no-such-program"], timeout=5)


def test_the_deadline_ends_the_whole_family() -> None:
    sleep = "import time; print(1, flush=True); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}])"
    began = time.monotonic()
    with pytest.raises(CommandError, match="no end after 1 s"):
        RealRunner().run(python(code), timeout=1)
    assert time.monotonic() - began < 10
    mine = psutil.Process().children(recursive=True)
    assert [p for p in mine if "time.sleep(60)" in " ".join(p.cmdline())] == []


def test_input_environment_folder_and_lines(tmp_path: Path) -> None:
    lines: list[str] = []
    code = "import os, sys; print(os.getcwd()); print(os.environ['X']); print(sys.stdin.read())"
    RealRunner().run(
        python(code), timeout=20, cwd=tmp_path, env={"X": "1"}, input="in", on_line=lines.append
    )
    assert lines == [str(tmp_path.resolve()), "1", "in"]


def test_arguments_reach_the_program_as_they_are() -> None:
    done = RealRunner().run([*python("import sys; print(sys.argv[1])"), "a b; $HOME"], timeout=20)
    assert done.stdout == "a b; $HOME\n"


def test_spawned_programs_write_to_their_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "x.log"
    pid = spawn(python("print('hello')"), log=log)
    os.waitpid(pid, 0)
    assert log.read_text() == "hello\n"


def test_what_was_not_recorded_does_not_begin(tmp_path: Path) -> None:
    # Killed after the program was started and before anybody could know of it.
    begun, log = tmp_path / "begun", tmp_path / "log"
    code = (
        "import os, pathlib, signal, sys; from course.core.process import spawn\n"
        "def killed(pid):\n"
        "    print(pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"spawn(['touch', {str(begun)!r}], log=pathlib.Path({str(log)!r}), record=killed)"
    )
    done = subprocess.run(python(code), stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(timeout=20)
    assert not begun.exists() and log.read_text() == ""


def test_a_program_begins_once_it_is_recorded(tmp_path: Path) -> None:
    kept = tmp_path / "pid"

    def record(pid: int) -> None:
        time.sleep(0.2)
        kept.write_text(str(pid))

    pid = spawn(
        python(f"import os; print(open({str(kept)!r}).read() == str(os.getpid()))"),
        log=tmp_path / "log",
        record=record,
    )
    os.waitpid(pid, 0)
    assert (tmp_path / "log").read_text() == "True\n"


def test_the_fake_answers_by_the_longest_prefix_and_records() -> None:
    fake = FakeRunner(
        {
            "docker": 1,
            "docker ps": "a\n",
            "docker pull": ["x", CommandError(Completed(("d",), 1), "r")],
        }
    )
    assert fake.run(["docker", "ps", "-q"], timeout=1).stdout == "a\n"
    assert fake.run(["docker", "images"], timeout=1, check=False).code == 1
    assert fake.run(["docker", "pull", "y"], timeout=1).stdout == "x"
    with pytest.raises(CommandError):
        fake.run(["docker", "pull", "y"], timeout=1)
    with pytest.raises(CommandError, match="not in the script"):
        fake.run(["podman"], timeout=1)
    assert fake.calls[0] == ("docker", "ps", "-q")


ENDLESS = "import sys\nwhile True: sys.stdout.write({text!r} * 4096)"


@pytest.mark.parametrize("text", ["y\n", "y", "é\r\n"])
def test_a_program_that_prints_without_end_is_ended_in_time(text: str) -> None:
    seen = 0

    def count(line: str) -> None:
        nonlocal seen
        seen += len(line)
        assert len(line) < 300_000

    began, before = time.monotonic(), psutil.Process().memory_info().rss
    with pytest.raises(CommandError, match="no end after 2 s") as caught:
        RealRunner().run(python(ENDLESS.format(text=text)), timeout=2, on_line=count)
    assert time.monotonic() - began < 10 and seen > 0
    assert len(caught.value.completed.stderr) < 50e6
    assert psutil.Process().memory_info().rss - before < 300e6
    assert not psutil.Process().children(recursive=True)


def test_of_what_is_printed_at_length_the_beginning_and_the_end_are_kept() -> None:
    code = "import sys; w = sys.stdout.write; w('first\\n'); [w('y' * 10**6) for _ in range(100)]"
    done = RealRunner().run(python(f"{code}; w('\\nlast\\n')"), timeout=60)
    assert done.stdout.startswith("first\ny") and done.stdout.endswith("y\nlast\n")
    assert len(done.stdout) < 50e6 and " MB left out …" in done.stdout


def test_what_is_printed_at_any_usual_length_is_kept_whole() -> None:
    text = "é" * 3_000_000  # its characters fall on the edges of what is read at once
    done = RealRunner().run(python(f"print('x' + 'é' * {len(text)})"), timeout=60)
    assert done.stdout == f"x{text}\n"


def test_a_program_that_forks_without_asking_leaves_nothing_running() -> None:
    # Each child starts another, all in the group of the first.
    code = "import os, time\nfor _ in range(6): os.fork()\ntime.sleep(60)"
    with pytest.raises(CommandError, match="no end after 1 s"):
        RealRunner().run(python(code), timeout=1)

    def family() -> list[psutil.Process]:
        return [p for p in psutil.process_iter(["cmdline"]) if code in (p.info["cmdline"] or [])]

    until(lambda: not family(), "the family's end", wait=10, pause=0.1)


@pytest.mark.parametrize("folder", ["/nowhere/at/all", __file__])
def test_a_folder_that_is_none_is_named_and_not_the_program(folder: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as caught:
        RealRunner().run(python(""), timeout=5, cwd=Path(folder))
    assert folder in caught.value.reason and folder in caught.value.try_
    with pytest.raises(CommandError, match=re.escape(folder)):
        spawn(python(""), log=tmp_path / "log", cwd=Path(folder))


def test_a_program_for_another_processor_is_an_error_of_the_command(tmp_path: Path) -> None:
    program = tmp_path / "kubectl"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    program.chmod(0o755)
    with pytest.raises(CommandError, match="cannot be started"):
        RealRunner().run([program], timeout=5)
    with pytest.raises(CommandError, match="too long"):
        RealRunner().run(["echo", "x" * 3_000_000], timeout=5)


def test_an_error_shows_neither_megabytes_nor_what_steers_a_terminal() -> None:
    loud = "print('x' * 40_000_000); print('\\033[31mred\\033[0m\\033]0;title\\a\\tend'); exit(1)"
    with pytest.raises(CommandError) as caught:
        RealRunner().run(python(loud), timeout=60)
    text = str(caught.value)
    assert len(text) < 2000 and "red" in text and "end" in text
    assert text.replace("\n", "").isprintable()
    assert len(str(CommandError(Completed(("echo", "y" * 10_000), 1), "exit code 1"))) < 3000


def test_a_sign_on_the_edge_of_what_is_kept_is_kept() -> None:
    done = RealRunner().run(python("print('x' + 'é' * 10_000_000)"), timeout=60)
    assert done.stdout == "x" + "é" * 10_000_000 + "\n"


def test_what_a_command_left_behind_is_ended_though_it_does_not_listen(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"(trap '' TERM; sh -c 'echo $PPID >{note}'; sleep 60) & exit 0"
    with pytest.raises(CommandError, match="no end after"):
        RealRunner().run(["sh", "-c", script], timeout=1)
    left = int(note.read_text())
    until(lambda: not _lives(left), "its end", wait=5)


def _lives(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
