"""Whatever a terminal can show, and however wide it is: every command tells all it has to tell."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from course.core import text

COURSE = Path(sys.executable).with_name("course")
ASCII = {"PYTHONIOENCODING": "ascii"}
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TERMINALS = {"ascii": ASCII, "locale C": BARE, "latin-1": {"PYTHONIOENCODING": "latin-1"}}


def course(env: dict[str, str], *words: object) -> tuple[int, str]:
    """Exit code and all that is printed."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LC_", "LANG"))}
    argv = [str(COURSE), *map(str, words)]
    done = subprocess.run(
        argv, env=inherited | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return done.returncode, done.stdout.decode(env.get("PYTHONIOENCODING", "utf-8"))


@pytest.mark.parametrize(
    ("words", "code", "said", "terminal"),
    [
        ("list", 0, "containers-1", "ascii"),
        ("list", 0, "containers-1", "latin-1"),
        ("list", 0, "containers-1", "locale C"),
        ("doctor", 1, "processor: ", "locale C"),
        ("hint containers-1", 0, "more: course hint", "locale C"),
        ("ledger", 0, "not measured yet", "locale C"),
        ("update", 0, "work/notebooks", "locale C"),
        ("status", 0, "nothing runs yet", "locale C"),
        ("solution rolling-1", 0, "not passed yet", "locale C"),
        ("check containers-1", 1, "course up", "locale C"),
        ("--help", 0, "Usage", "locale C"),
        ("nonsense-é", 2, "course --help", "locale C"),
    ],
)
def test_a_terminal_that_cannot_show_a_sign_gets_a_plain_one(
    home: Path, words: str, code: int, said: str, terminal: str
) -> None:
    env = TERMINALS[terminal] | {"DOCKER_HOST": "unix:///nowhere"}
    seen, out = course(env, *words.split())
    assert seen == code and said in out, out
    assert "a fault of the course itself" not in out and "Traceback" not in out
    if terminal != "latin-1":
        assert out.isascii()


def test_the_figures_of_a_run_are_shown_on_the_plainest_terminal(home: Path) -> None:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        code, out = course(
            {**BARE, "COLUMNS": "10", "TERM": "dumb", "TZ": "Not/AZone"},
            *("load", url, "--rate", "20", "--for", "1s"),
        )
    finally:
        server.shutdown()
        server.server_close()
    assert code == 0, out
    assert "20  planned in 1 s" in out and "from intended send to answer" in out


def test_a_narrow_terminal_loses_no_word(home: Path) -> None:
    code, out = course({"COLUMNS": "10", "TERM": "dumb"}, "list")
    assert code == 0 and "containers-1" in out and "The slug service runs" in out


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        ("\x1b[1;31merror\x1b[0m: \x1b]0;owned\x07no\x1b]8;;http://x\x1b\\ way", "error: no way"),
        ("\x1b(B\x1b[?25l\x1bcgone\x1bPq\x1b\\", "gone"),
        ("an end \x1b[", "an end \\x1b["),
        ("a\tb\nc\rd\x00\x9b31m", "a\tb\nc\\rd\\x00\\x9b31m"),
        ("half \ud83d, turned \u202e", "half \\ud83d, turned \\u202e"),
        ("Łódź, 日本, 👩\u200d💻, 1\xa0000", "Łódź, 日本, 👩\u200d💻, 1\xa0000"),
    ],
)
def test_what_a_learners_program_prints_does_not_steer_a_terminal(printed: str, told: str) -> None:
    assert text.harmless(printed) == told


@pytest.mark.parametrize(
    ("shown", "plain"),
    [
        ("✓ so … ✗ not", "+ so ... x not"),
        ("Łódź, café", "?odz, cafe"),
        ("caf\udce9.ts", "caf?.ts"),
        ("日本", "??"),
    ],
)
def test_plain_signs_say_what_the_others_mean(shown: str, plain: str) -> None:
    assert text.plain(shown) == plain
