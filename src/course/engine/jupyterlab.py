"""JupyterLab: started in the background, found again, stopped."""

from __future__ import annotations

import contextlib
import html
import json
import os
import secrets
import sys
import urllib.request
from functools import partial
from http.client import HTTPException
from pathlib import Path

from course.core import environment, locks, paths, private, waiting
from course.core import process as process_
from course.core.errors import CourseError
from course.engine import ports

_WAIT = 90.0
_SETTINGS = Path(__file__).parent / "jupyter"
"""Defaults, which a learner's own settings override: no news and no look for updates (nothing
leaves the machine without being asked for), Markdown shown as a page."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={address}"><title>JupyterLab</title></head>
<body><a href="{address}">JupyterLab</a></body></html>
"""


def _file() -> Path:
    return paths.state() / "jupyter.json"


def url(path: str = "") -> str | None:
    """Its address with the token, or `None` if it does not run.

    Args:
        path: a file below the learner's folder, to open at once.
    """
    record = _record()
    if record is None or locks.find_process(locks.recorded_key(record)) is None:
        return None
    where = f"/lab/tree/{path}" if path else "/lab"
    return f"http://127.0.0.1:{record['port']}{where}?token={record['token']}"


def start(*, prefer: int = 8888) -> None:
    """Start it in the learner's folder, unless it runs with these settings.

    Args:
        prefer: the first port to try.

    Raises:
        CourseError: it does not answer in time.
    """
    if url() is not None:
        if (_record() or {}).get("settings") == str(_SETTINGS):
            return
        stop()  # of before an update of the clone, or of another clone
    port, token = ports.free(prefer), secrets.token_urlsafe(24)
    log = paths.state() / "logs" / "jupyter.log"
    work = paths.work()
    work.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-P", "-m", "jupyterlab", "--no-browser"]
    argv += ["--ServerApp.ip=127.0.0.1"]
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
        env |= environment.environment()
    venv = str(Path(sys.executable).parent)
    env["PATH"] = f"{venv}{os.pathsep}{env.get('PATH', os.environ.get('PATH', ''))}"
    process_.spawn(argv, log=log, env=env, cwd=work, record=partial(_remember, port, token))
    waiting.eventually(lambda: _answers(port, token) or url() is None, wait=_WAIT, pause=0.2)
    if not _answers(port, token):
        tail = log.read_text(errors="replace").splitlines()[-5:]
        raise CourseError(
            "JupyterLab does not answer:\n      " + "\n      ".join(tail),
            f"an answer within {_WAIT:.0f} s",
            f"read {log}; then: course up --lab",
        )


def page(path: str = "") -> Path | None:
    """A page that leads a browser to it, so that no command line shows the token to other users.

    Args:
        path: a file below the learner's folder, to open at once.

    Returns:
        The page, which its user alone reads, until `stop()`; or `None` if it does not run.
    """
    address = url(path)
    if address is None:
        return None
    file = _page()
    private.write(file, _PAGE.format(address=html.escape(address)))
    return file


def _page() -> Path:
    # A browser that is a snap reads what is in the home folder, and there nothing whose first
    # folder is hidden.
    clone = paths.ROOT / ".venv"
    below = clone.is_relative_to(Path.home()) and os.access(clone, os.W_OK)
    hidden = below and clone.relative_to(Path.home()).parts[0].startswith(".")
    return (clone if below and not hidden else paths.state()) / "open" / "jupyterlab.html"


def _remember(port: int, token: str, pid: int) -> None:
    record = {
        "process": locks.process_key(pid),
        "port": port,
        "token": token,
        "settings": str(_SETTINGS),
    }
    private.write(_file(), json.dumps(record))


def stop() -> None:
    """End it and its kernels."""
    import psutil

    record = _record()
    process = locks.find_process(locks.recorded_key(record)) if record else None
    _page().unlink(missing_ok=True)
    if process is not None:
        family = [process]
        with contextlib.suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
            family += process.children(recursive=True)
            process.terminate()
        _, alive = psutil.wait_procs(family, timeout=10)
        for left in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
    _file().unlink(missing_ok=True)


def _record() -> dict[str, object] | None:
    try:
        record = dict(json.loads(_file().read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return record if {"port", "token"} <= set(record) else None


def _answers(port: int, token: str) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=3) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False  # or another program took the port, and speaks no HTTP
