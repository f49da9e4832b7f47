"""course.engine.jupyterlab: its settings exist, and its token is for one reader."""

from __future__ import annotations

import json
import re
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from course.core import locks, paths, private
from course.core.errors import CourseError
from course.engine import jupyterlab
from tests.foreign import other, recycled
from tests.running_lab import TOKEN, running_lab


@pytest.fixture
def running(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A JupyterLab that seems to run, and what browsers are called with."""
    with running_lab(home, monkeypatch) as opened:
        yield opened


SCHEMAS = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
OVERRIDES = json.loads((jupyterlab._SETTINGS / "overrides.json").read_text())


@pytest.mark.parametrize("plugin", OVERRIDES)
def test_every_setting_is_one_of_jupyterlab(plugin: str) -> None:
    package, name = plugin.split(":")
    schema = json.loads((SCHEMAS / package / f"{name}.json").read_text())
    for setting, value in OVERRIDES[plugin].items():
        known = schema["properties"][setting]
        if "enum" in known:
            assert value in known["enum"]
        kinds = known.get("type", [])
        names = {bool: "boolean", int: "number", str: "string", dict: "object"}
        if kinds:
            found = {"integer"} if type(value) is int else set()
            assert {names[type(value)], *found} & (
                {kinds} if isinstance(kinds, str) else set(kinds)
            ), f"{setting} is {kinds}"


def test_outside_the_home_folder_the_page_is_in_the_states(
    running: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for elsewhere in ("/elsewhere", str(home / "clone" / ".venv" / "x")):
        monkeypatch.setenv("HOME", elsewhere)
        found = jupyterlab.page()
        assert found is not None and found.is_relative_to(paths.state())
    # A hidden first folder is as good as outside.
    monkeypatch.setenv("HOME", str(home))
    (home / ".src" / ".venv").mkdir(parents=True)
    monkeypatch.setattr(paths, "ROOT", home / ".src")
    found = jupyterlab.page()
    assert found is not None and found.is_relative_to(paths.state())


def test_no_argument_holds_the_token_or_opens_it_to_others(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[str], dict[str, str]]] = []

    def spawn(argv: list[object], *, env: dict[str, str], **_: object) -> None:
        seen.append((list(map(str, argv)), env))
        raise CourseError("far enough")

    monkeypatch.setattr("course.core.process.spawn", spawn)
    with pytest.raises(CourseError, match="far enough"):
        jupyterlab.start()
    ((argv, env),) = seen
    assert "--ServerApp.ip=127.0.0.1" in argv and len(env["JUPYTER_TOKEN"]) >= 24
    told = " ".join(argv)
    assert env["JUPYTER_TOKEN"] not in told
    assert not re.search(r"token|password|allow_origin|allow_remote|xsrf|disable", told)


def test_the_record_with_the_token_is_private_from_its_first_byte(running: list[str]) -> None:
    assert stat.S_IMODE((paths.state() / "jupyter.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.state().stat().st_mode) == 0o700


def test_a_process_that_got_its_number_is_neither_taken_for_it_nor_ended(home: Path) -> None:
    with other() as foreign:
        now = psutil.Process(foreign.pid).create_time()
        for record in (
            {"process": recycled(foreign), "port": 1, "token": TOKEN},
            {"process": f"{foreign.pid}", "port": 1, "token": TOKEN},
            {"pid": foreign.pid, "started": now - 100, "port": 1, "token": TOKEN},
            {"pid": foreign.pid, "port": 1, "token": TOKEN},
        ):
            private.write(paths.state() / "jupyter.json", json.dumps(record))
            assert jupyterlab.url() is None
            jupyterlab.stop()


def test_the_record_of_an_older_version_is_read(running: list[str]) -> None:
    record = json.loads((paths.state() / "jupyter.json").read_text())
    pid = int(record["process"].split("-")[0])
    old = {"pid": pid, "started": psutil.Process(pid).create_time(), "port": 1, "token": TOKEN}
    private.write(paths.state() / "jupyter.json", json.dumps(old))
    assert jupyterlab.url() == f"http://127.0.0.1:1/lab?token={TOKEN}"


def test_the_plugin_is_where_its_package_says() -> None:
    folder = jupyterlab._SETTINGS / "labextensions" / "course"
    about = json.loads((folder / "package.json").read_text())
    assert about["name"] == folder.name
    assert (folder / about["jupyterlab"]["_build"]["load"]).exists()


@pytest.mark.parametrize("record", ["{}", "[" * 100_000, '{"process": "ME"}', '{"port": 1}', "5"])
def test_a_record_that_is_none_is_no_fault_of_the_course(home: Path, record: str) -> None:
    jupyterlab._file().parent.mkdir(parents=True, exist_ok=True)
    jupyterlab._file().write_text(record.replace("ME", locks.process_key()))
    assert jupyterlab.url() is None
    jupyterlab.stop()
    assert not jupyterlab._file().exists()


def test_a_program_that_took_the_port_and_speaks_no_http_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(1 << 16)
                caller.sendall(b"SSH-2.0-x\r\n")

        threading.Thread(target=greet, daemon=True).start()
        assert not jupyterlab._answers(listening.getsockname()[1], "token")


def test_a_lab_that_ends_by_itself_while_it_is_stopped_is_stopped(
    running: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> NoReturn:
        raise psutil.NoSuchProcess(1)

    monkeypatch.setattr(psutil.Process, "children", gone)
    monkeypatch.setattr(psutil, "wait_procs", lambda processes, timeout: (processes, []))
    jupyterlab.stop()
    assert jupyterlab.url() is None
