"""JupyterLab: started in the background, found again, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import time
import urllib.request
from functools import partial
from pathlib import Path

import psutil

from course import engines, paths, run
from course.engines import ports
from course.errors import CourseError

_WAIT = 90.0
_SETTINGS = Path(__file__).parent / "jupyter"
"""Defaults, which a learner's own settings override: no news and no look for updates (nothing
leaves the machine without being asked for), Markdown shown as a page."""


def _file() -> Path:
    return paths.state() / "jupyter.json"


def url(path: str = "") -> str | None:
    """Its address with the token, or `None` if it does not run.

    Args:
        path: a file below the learner's folder, to open at once.
    """
    record = _record()
    if record is None or _process(record) is None:
        return None
    where = f"/lab/tree/{path}" if path else "/lab"
    return f"http://127.0.0.1:{record['port']}{where}?token={record['token']}"


def start(*, prefer: int = 8888) -> None:
    """Start it in the learner's folder, unless it runs.

    Args:
        prefer: the first port to try.

    Raises:
        CourseError: it does not answer in time.
    """
    if url() is not None:
        return
    port, token = ports.free(prefer), secrets.token_urlsafe(24)
    log = paths.state() / "logs" / "jupyter.log"
    work = paths.work()
    work.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    argv += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    argv += [f"--ServerApp.root_dir={work}", f"--LabApp.app_settings_dir={_SETTINGS}"]
    argv += [f"--LabApp.extra_labextensions_path={_SETTINGS / 'labextensions'}"]
    # Tabs that were open here, and not those of another JupyterLab of the learner's.
    argv += [f"--LabApp.workspaces_dir={paths.state() / 'jupyter-workspaces'}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        argv.append("--ServerApp.allow_root=True")
    # The token goes by the environment: an argument could be read by every user of the machine.
    env = {"JUPYTER_TOKEN": token, "COURSE_WORK": str(work)}
    with contextlib.suppress(CourseError):
        env |= engines.environment()
    venv = str(Path(sys.executable).parent)
    env["PATH"] = f"{venv}{os.pathsep}{env.get('PATH', os.environ.get('PATH', ''))}"
    run.spawn(argv, log=log, env=env, cwd=work, record=partial(_remember, port, token))
    deadline = time.monotonic() + _WAIT
    while not _answers(port, token):
        if time.monotonic() > deadline or url() is None:
            tail = log.read_text(errors="replace").splitlines()[-5:]
            raise CourseError(
                "JupyterLab does not answer:\n      " + "\n      ".join(tail),
                f"an answer within {_WAIT:.0f} s",
                f"read {log}; then: course up --lab",
            )
        time.sleep(0.2)


def _remember(port: int, token: str, pid: int) -> None:
    started = psutil.Process(pid).create_time()
    part = _file().with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps({"pid": pid, "started": started, "port": port, "token": token}))
    part.replace(_file())


def stop() -> None:
    """End it and its kernels."""
    record = _record()
    process = _process(record) if record else None
    if process is not None:
        family = [process, *process.children(recursive=True)]
        process.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for left in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
    _file().unlink(missing_ok=True)


def _record() -> dict[str, object] | None:
    try:
        return dict(json.loads(_file().read_text()))
    except (OSError, ValueError):
        return None


def _process(record: dict[str, object]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(str(record["pid"])))
        same = abs(process.create_time() - float(str(record["started"]))) < 2
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return None


def _answers(port: int, token: str) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False
