"""The only place that starts subprocesses."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import queue
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, cast

from course.core import inherited
from course.core import text as text_
from course.core.errors import CourseError

OnLine = Callable[[str], None]
UNENDED = -1
"""The code of a command that ran past its deadline."""
OWNER = "COURSE_SET_UP"
"""Marks what a set-up starts by the set-up's `locks.process_key()`, so that the next one can end
what a killed one left behind. What is meant to outlive it (`spawn`) has no mark."""
_KEPT_LINES = 8
_KEPT_CHARACTERS = 1 << 16
_LONGEST_LINE, _LONGEST_COMMAND = 400, 2000
"""Characters of each that an error shows."""
_CHUNK = 1 << 16
_MOST = 16 << 20
"""Bytes of a stream that are kept of its beginning, and as many of its end."""


@dataclass(frozen=True)
class Completed:
    """A command that has ended."""

    argv: tuple[str, ...]
    code: int
    stdout: str = ""
    stderr: str = ""


def _shown(line: str) -> str:
    """A line that a program printed, fit for a message: neither colours nor megabytes."""
    bare = re.sub(r"\x1b\[[0-9;:?]*[ -/]*[@-~]", "", line).expandtabs()
    return text_.printable(text_.cut(bare, _LONGEST_LINE))


class CommandError(CourseError):
    """A command failed, could not be started, or ran past its deadline.

    Args:
        completed: the command as it ended.
        reason: what went wrong, e.g. `exit code 3`.
        try_: what the learner can do next.
    """

    def __init__(self, completed: Completed, reason: str, try_: str = "") -> None:
        self.completed = completed
        self.reason = reason
        said = (completed.stderr or completed.stdout)[-_KEPT_CHARACTERS:]
        tail = [_shown(line) for line in said.rstrip().splitlines()[-_KEPT_LINES:]]
        saw = f"`{text_.cut(shlex.join(completed.argv), _LONGEST_COMMAND)}`: {reason}"
        if tail:
            saw += "\n      " + "\n      ".join(tail)
        super().__init__(saw, "the command to succeed", try_)


class Runner(Protocol):
    """Runs commands; the real one and the fake one share this shape."""

    def run(
        self,
        argv: Sequence[object],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        on_line: OnLine | None = None,
        check: bool = True,
        try_: str = "",
    ) -> Completed:
        """Run a command to its end.

        Args:
            argv: program and arguments, each turned into text; no shell is involved.
            timeout: deadline in seconds; the whole process group is ended at it.
            cwd: folder to run in.
            env: variables added to the current environment, which `inherited` puts right first.
            input: text for standard input; without it standard input is empty.
            on_line: called with each line of either stream as it comes; of a very long line with
                its parts.
            check: raise on a non-zero exit code.
            try_: what the error tells the learner to do.

        Raises:
            CommandError: the command failed, is not there, or ran past its deadline.
        """
        ...


class RealRunner:
    """Runs commands on this machine."""

    def run(
        self,
        argv: Sequence[object],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        on_line: OnLine | None = None,
        check: bool = True,
        try_: str = "",
    ) -> Completed:
        """See `Runner.run`."""
        words = tuple(str(a) for a in argv)
        try:
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env=inherited.child(words[0], os.environ, env or {}, folder=_folder(words, cwd)),
                stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise _unstarted(words, cwd, error, try_) from error
        try:
            out, err = _pump(process, input, time.monotonic() + timeout, on_line)
        except BaseException:
            # Also on Ctrl-C: nothing that we started stays behind.
            _end(process)
            raise
        if out is None:
            _end(process)
            raise CommandError(
                Completed(words, UNENDED, "", err), f"no end after {timeout:.0f} s", try_
            )
        done = Completed(words, process.returncode, out, err)
        if check and done.code != 0:
            raise CommandError(done, f"exit code {done.code}", try_)
        return done


def _folder(words: Sequence[str], cwd: Path | None) -> Path | None:
    """Where a command works: `git -C FOLDER` says so itself."""
    return Path(words[2]) if words[1:2] == ("-C",) and len(words) > 2 else cwd


def _unstarted(
    words: tuple[str, ...], cwd: Path | None, error: OSError, try_: str = ""
) -> CommandError:
    """Why a command could not be started: as a rule its program, but its folder may be missing."""
    reason = f"cannot be started ({error.strerror})"
    if cwd is not None and not cwd.is_dir():
        reason, try_ = f"cannot be started in {cwd} ({error.strerror})", try_ or f"ls -ld {cwd}"
    return CommandError(
        Completed(words, 127), reason, try_ or f"is `{words[0]}` installed? course doctor"
    )


class _Kept:
    """The beginning and the end of what a program prints; what is between is counted."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0
        self._on_line = on_line
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder("utf-8")("replace"), translate=True
        )
        self._line = ""

    def add(self, chunk: bytes) -> None:
        room = _MOST - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:] if room > 0 else chunk
        if len(self._tail) > 2 * _MOST:
            self._left_out += len(self._tail) - _MOST
            del self._tail[:-_MOST]
        if self._on_line:
            self._tell(self._decoder.decode(chunk))

    def close(self) -> None:
        if self._on_line:
            self._tell(self._decoder.decode(b"", final=True))
            if self._line:
                self._on_line(self._line)

    def _tell(self, text: str) -> None:
        assert self._on_line is not None  # noqa: S101 - asked by the callers
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._on_line(line)
        if len(self._line) > _CHUNK:
            self._on_line(self._line)
            self._line = ""

    def text(self) -> str:
        between = f"\n… {self._left_out / 1e6:.0f} MB left out …\n" if self._left_out else ""
        if between:
            head, tail = (part.decode(errors="replace") for part in (self._head, self._tail))
            said = head + between + tail
        else:
            said = (self._head + self._tail).decode(errors="replace")
        return said.replace("\r\n", "\n").replace("\r", "\n")


def _pump(
    process: subprocess.Popen[bytes], text: str | None, deadline: float, on_line: OnLine | None
) -> tuple[str | None, str]:
    """Read both streams until they end; `None` for stdout means the deadline passed."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue(maxsize=64)
    given_up = threading.Event()

    def read(name: str, stream: IO[bytes]) -> None:
        while not given_up.is_set():
            chunk = os.read(stream.fileno(), _CHUNK)
            while not given_up.is_set():
                try:
                    chunks.put((name, chunk), timeout=0.2)
                    break
                except queue.Full:
                    continue
            if not chunk:
                break
        stream.close()

    assert process.stdout is not None and process.stderr is not None  # noqa: S101 - PIPE above
    for name, stream in (("out", process.stdout), ("err", process.stderr)):
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    if text is not None and process.stdin is not None:
        stdin, content = process.stdin, text.encode(errors="surrogateescape")

        def write() -> None:
            try:
                stdin.write(content)
                stdin.close()
            except BrokenPipeError:
                pass  # it ended without reading all; its exit code tells

        threading.Thread(target=write, daemon=True).start()
    kept = {"out": _Kept(on_line), "err": _Kept(on_line)}
    open_streams = 2
    try:
        while open_streams:
            left = deadline - time.monotonic()
            try:
                # Not waiting is no end either: it may print without one.
                name, chunk = chunks.get(timeout=left) if left > 0 else ("", b"")
            except queue.Empty:
                name = ""
            if not name:
                return None, kept["out"].text() + kept["err"].text()
            if chunk:
                kept[name].add(chunk)
            else:
                kept[name].close()
                open_streams -= 1
    finally:
        given_up.set()
    try:
        process.wait(timeout=max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return None, kept["err"].text()
    return kept["out"].text(), kept["err"].text()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command's whole process group: politely, then not.

    The second time also where the command itself has ended: what it left behind may not listen.
    """
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sig)
        except ProcessLookupError:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=3.0)


def spawn(
    argv: Sequence[object],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    record: Callable[[int], None] = lambda _: None,
) -> int:
    """Start a program that outlives us, its output in a log file.

    Args:
        argv: program and arguments.
        log: file that both streams are appended to.
        env: variables added to the current environment, which `inherited` puts right first.
        cwd: folder to run in.
        record: keeps the process id; the program begins after that. If we are ended before, it
            never does, and so none runs of which nothing is known.

    Returns:
        The process id.

    Raises:
        CommandError: it cannot be started; what the program itself says stands in the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    words = tuple(str(a) for a in argv)
    mine = {name: value for name, value in os.environ.items() if name != OWNER}
    with log.open("ab") as sink:
        try:
            process = subprocess.Popen(
                ("sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh", *words),
                cwd=cwd,
                env=inherited.child(words[0], mine, env or {}, folder=cwd),
                stdin=subprocess.PIPE,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        except OSError as error:
            raise _unstarted(words, cwd, error, "course doctor") from error
    with cast("IO[bytes]", process.stdin) as go:
        record(process.pid)
        go.write(b"\n")
    return process.pid


Answer = Completed | CommandError | str | int
"""What a fake command does: a whole result, an error, its stdout, or its exit code."""


@dataclass
class FakeRunner:
    """A runner for tests: answers from a script and records what was asked.

    Args:
        script: argv prefix (words joined by a space) to answer; the longest prefix wins.
            A list is answered from front to back, its last entry again and again.
    """

    script: Mapping[str, Answer | list[Answer]] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    inputs: list[str | None] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[object],
        *,
        timeout: float,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        on_line: OnLine | None = None,
        check: bool = True,
        try_: str = "",
    ) -> Completed:
        """See `Runner.run`."""
        words = tuple(str(a) for a in argv)
        self.calls.append(words)
        self.inputs.append(input)
        line = " ".join(words)
        matches = [p for p in self.script if line == p or line.startswith(p + " ")]
        if not matches:
            raise CommandError(Completed(words, 127), "cannot be started (not in the script)", try_)
        answer = self.script[max(matches, key=len)]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, CommandError):
            raise answer
        if isinstance(answer, str):
            answer = Completed(words, 0, answer)
        if isinstance(answer, int):
            answer = Completed(words, answer)
        if on_line:
            for text in (answer.stdout + answer.stderr).splitlines():
                on_line(text)
        if check and answer.code != 0:
            raise CommandError(answer, f"exit code {answer.code}", try_)
        return answer


_real = RealRunner()


def default_runner() -> Runner:
    """The runner of this machine."""
    return _real
