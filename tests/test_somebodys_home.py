"""Every command in a home full of somebody's things: none of them is touched.

Docker is a stand-in here; the same on the real one is in `tests/cluster/test_somebodys_docker.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from course import cli
from course.core import environment, paths
from tests.fake_docker import FakeDocker

TRAP = "#!/bin/sh\ntouch {ran}/$(basename $0)\nexit 1\n"
"""What a learner has configured, and which must not run for the course."""


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every path below a folder: mode, time of the last change, and what is in it."""
    found = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        facts = path.lstat()
        if path.is_symlink():
            content = str(path.readlink())
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (facts.st_mode, facts.st_mtime_ns, content)
    return found


def differing(before: dict[str, tuple[int, int, str]], folder: Path) -> list[str]:
    """What has changed since. `TMPDIR` may have held what is there no more."""
    now = snapshot(folder)
    changed = {name for name, _ in set(now.items()) ^ set(before.items())}
    return sorted(changed - {"tmp"} if {"tmp"} <= now.keys() & before.keys() else changed)


@pytest.fixture
def somebody(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder with what people have in theirs, and an environment that points to it."""
    theirs, ran, bin_ = home / "Jane Doe", home / "ran", home / "bin"
    ran.mkdir()
    files = {
        ".gitconfig": f"[core]\nhooksPath={theirs}/hooks\n[commit]\ngpgsign=true\n"
        "[gpg]\nprogram=trap\n",
        ".kube/config": "{apiVersion: v1, kind: Config, current-context: work, contexts: []}",
        ".kube/kuberc": "kind: Preference\n",
        ".docker/config.json": '{"credsStore": "trap", "psFormat": "x", "currentContext": "gone"}',
        ".npmrc": "prefix=~/.npm-global\n",
        ".ssh/id_ed25519": "a key",
        ".bashrc": "export GIT_DIR=~/dot/.git\n",
        ".config/git/ignore": "*.json\n",
        ".ipython/profile_default/startup/00.py": f"open({str(ran / 'ipython')!r}, 'w')\n",
        ".config/matplotlib/matplotlibrc": "backend: nonsense\n",
        ".cache/course-notes/a": "theirs",
        ".local/state/course.txt": "theirs",
        "course.toml": "theirs",
        "work/README.md": "theirs",
        "projects/orders/main.c": "theirs",
        "projects/mini-1/word.txt": "theirs",
        "tmp/course-copy-notes/a": "theirs",
        "tmp/course-x/a": "theirs",
        "notes.txt": "theirs",
        "dot/private": "a secret",
    }
    for name, text in files.items():
        (theirs / name).parent.mkdir(parents=True, exist_ok=True)
        (theirs / name).write_text(text)
    (theirs / ".ssh" / "id_ed25519").chmod(0o600)
    (theirs / ".ssh").chmod(0o700)
    (theirs / "readonly").mkdir(mode=0o500)
    for trap in (theirs / "hooks" / "pre-commit", theirs / "hooks" / "post-checkout"):
        trap.parent.mkdir(exist_ok=True)
        trap.write_text(TRAP.format(ran=ran))
        trap.chmod(0o755)
    subprocess.run(["git", "init", "--quiet", str(theirs / "dot")], check=True)
    _tools(bin_, ran)
    for name in [name for name in os.environ if name.startswith(("XDG_", "GIT_", "PYTEST_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "HOME": theirs,
        "TMPDIR": theirs / "tmp",
        "PATH": bin_,
        "GIT_DIR": theirs / "dot" / ".git",
        "GIT_WORK_TREE": theirs / "dot",
        "KUBECONFIG": theirs / ".kube" / "config",
        "BASH_ENV": theirs / ".bashrc",
        "BUILDX_BUILDER": "mine",
        "COURSE_OFFLINE": "1",
    }.items():
        monkeypatch.setenv(name, str(value))
    work = paths.work()
    work.mkdir()
    # What is theirs in the learner's own folder, by links.
    (work / "orders").symlink_to(theirs / "projects" / "orders")
    (work / "mini-1").symlink_to(theirs / "projects" / "mini-1")
    (work / "mine.txt").write_text("theirs")
    yield theirs
    (theirs / "readonly").chmod(0o700)


def _tools(folder: Path, ran: Path) -> None:
    """A PATH with what a shell needs, a docker that knows nothing, and a trap for their helpers."""
    folder.mkdir()
    for name in ("git", "sh", "bash", "cat", "chmod", "rm", "touch", "basename", "node", "npm"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    for name in ("gpg", "trap", "docker-credential-trap", "ssh", "xdg-open"):
        (folder / name).write_text(TRAP.format(ran=ran))
        (folder / name).chmod(0o755)
    (folder / "docker").write_text('#!/bin/sh\ntest "$1 $2" = "buildx version"\n')
    (folder / "docker").chmod(0o755)


DRIVER = """\
import json, os, pathlib, sys
sys.path.insert(0, {tests!r})
from course.core import paths
paths.ROOT = pathlib.Path({root!r})
import tests.mini_course.exercises
from course import cli; from course.core import inherited
from course.engine import docker
from tests.test_somebodys_home import differing, snapshot
docker._RUN = pathlib.Path({run!r})
given, home = dict(os.environ), pathlib.Path(os.environ["HOME"])
before, told = snapshot(home), []
for words in {runs!r}:
    os.environ.clear()
    os.environ.update(given)
    os.chdir(home)
    inherited._before = None
    sys.argv = ["course", *words]
    try:
        code = cli.main()
    except SystemExit as end:
        code = end.code
    told.append([words, code, differing(before, home)])
    before = snapshot(home)
pathlib.Path({result!r}).write_text(json.dumps(told))
"""
"""Runs commands one after the other, each with the variables that were given, and looks."""


def course(mini: Path, *runs: list[str]) -> tuple[list[tuple[list[str], int, list[str]]], str]:
    """Run commands on the mini course, in another process.

    Returns:
        Of each its words, its exit code and what of the home folder it changed; and all errors.
    """
    result = mini.parent / "told.json"
    script = DRIVER.format(
        tests=str(Path(__file__).parents[1]),
        root=str(mini),
        run=str(mini.parent / "run"),
        runs=list(runs),
        result=str(result),
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.exists(), done.stderr
    return [(words, code, changed) for words, code, changed in json.loads(result.read_text())], (
        done.stderr
    )


COMMANDS: dict[str, list[list[str]]] = {
    "up": [["up", "--json"], ["up", "--lab"], ["up", "--headless"]],
    "down": [["down"], ["down", "--purge"]],
    "status": [["status"]],
    "doctor": [["doctor"], ["doctor", "--report", "{work}/report.txt"], ["doctor", "app"]],
    "list": [["list"]],
    "check": [["check", "mini-1"], ["check", "mini-2"]],
    "hint": [["hint", "mini-1"]],
    "solution": [["solution", "mini-1"], ["solution", "mini-1"]],
    "goto": [["goto", "mini-1"], ["goto", "mini-2"], ["goto", "mini-1"]],
    "reset": [["reset", "mini-1"]],
    "update": [["update"]],
    "ledger": [["ledger"], ["ledger", "--html"], ["ledger", "--html", "{home}/notes.txt"]],
    "env": [["env"]],
    "load": [["load", "http://127.0.0.1:9/", "--for", "1s", "--rate", "5"]],
    "bundle save": [["bundle", "save", "{work}/a.bundle"], ["bundle", "save", "{home}/notes.txt"]],
    "bundle load": [["bundle", "load", "{home}/notes.txt"]],
    "dev build": [["dev", "build"]],
    "dev check": [["dev", "check"]],
    "dev messages": [["dev", "messages"]],
    "dev new": [["dev", "new", "mini", "A third one is there"]],
    "dev proofs": [["dev", "proofs"], ["dev", "proofs", "--save"]],
    "dev test": [],
}
"""Every command, and how it is run here; `dev test` is what runs this."""


def _names(app: typer.Typer, prefix: str = "") -> set[str]:
    names = {
        prefix + (command.name or command.callback.__name__.rstrip("_"))
        for command in app.registered_commands
        if command.callback
    }
    for group in app.registered_groups:
        assert group.typer_instance and group.name
        names |= _names(group.typer_instance, f"{group.name} ")
    return names


def test_every_command_is_run_in_somebodys_home() -> None:
    assert _names(cli.app) == set(COMMANDS)


def test_no_command_touches_what_is_somebodys(
    mini: Path, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        [word.format(work=paths.work(), home=somebody) for word in words]
        for every in COMMANDS.values()
        for words in every
    ]
    with FakeDocker() as fake:
        monkeypatch.setenv("DOCKER_HOST", fake.host)
        environment.save(environment.Engine("kind", {"DOCKER_HOST": fake.host}, ["containers"], {}))
        told, errors = course(mini, *runs)
        assert fake.removed == []
    assert [words for words, _, _ in told] == runs
    assert "a fault of the course itself" not in errors, errors
    assert not [t for t in told if t[1] not in (None, 0, 1)], errors
    assert not (touched := [t for t in told if t[2]]), touched
    assert not list((mini.parent / "ran").iterdir()), "nothing of theirs was run"
    assert (paths.work() / "mine.txt").read_text() == "theirs"


def test_what_a_link_in_the_learners_folder_names_stays_as_it_is(
    mini: Path, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}, ["containers"], {}))
    told, errors = course(mini, ["goto", "mini-1"])
    assert told == [(["goto", "mini-1"], 0, [])], errors
    folder = paths.work() / "mini-1"
    assert not folder.is_symlink() and (folder / "word.txt").read_text() == ""
    assert (somebody / "projects" / "mini-1" / "word.txt").read_text() == "theirs"
    assert len(list((paths.work() / ".saved").rglob("word.txt"))) == 1


def test_a_cache_that_holds_somebodys_things_is_refused_and_left(
    mini: Path, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (somebody / ".cache" / "scratch").mkdir()
    (somebody / ".cache" / "scratch" / "mine").write_text("theirs")
    monkeypatch.setenv("COURSE_CACHE", str(somebody / ".cache"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    told, errors = course(mini, ["up"], ["down", "--purge"])
    assert told == [(["up"], 1, []), (["down", "--purge"], 1, [])], errors
    assert errors.count("holds what the course did not make") == 2


def test_jupyterlab_and_its_kernels_keep_their_things_in_the_courses_folder(
    mini: Path, somebody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    environment.save(environment.Engine("kind", {"DOCKER_HOST": "unix:///x"}, ["containers"], {}))
    before = snapshot(somebody)
    cell = (
        "import course, os; course.setup('01-mini')\n"
        "import matplotlib.pyplot as plt; plt.figure(); get_ipython().run_cell_magic("
        "'bash', '', 'git status >/dev/null || true; pwd')\n"
        "assert 'GIT_DIR' not in os.environ and 'BASH_ENV' not in os.environ"
    )
    script = (
        "from course.core import inherited; from course.engine import jupyterlab as lab; "
        "from course.learner import run_notebook as execute; import nbformat, pathlib, os; "
        "inherited.settle(); lab.start(prefer=18888)\n"
        "try:\n"
        "    v4 = nbformat.v4\n"
        f"    book = v4.new_notebook(cells=[v4.new_code_cell({_in_mini(mini, cell)!r})])\n"
        "    execute.run(book, pathlib.Path(os.environ['HOME']))\n"
        "finally:\n"
        "    lab.stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    time.sleep(0.5)
    assert not (changed := differing(before, somebody)), changed
    assert not list((mini.parent / "ran").iterdir()), "nothing of theirs was run"
    assert {"ipython", "jupyter", "matplotlib"} <= {
        path.name for path in (paths.state() / "home").iterdir()
    }


def _in_mini(mini: Path, script: str) -> str:
    head = "import pathlib; from course.core import paths; "
    return f"{head}paths.ROOT = pathlib.Path({str(mini)!r})\n{script}"
