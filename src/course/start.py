"""What `make start` does with the engine, JupyterLab and the first lesson."""

from __future__ import annotations

import os
import platform
import sys
import time
import webbrowser

from course.core import environment, manifest, paths, process
from course.core.names import CONTAINERS
from course.engine import jupyterlab, tasks, up
from course.learner import start_page


def first_lesson() -> str:
    """The stem of the course's first lesson."""
    return manifest.load().lessons[0].stem


def everything(display: tasks.Display) -> None:
    """Make the engine, the cluster and the service run; say so at once if they do."""
    if up.complete():
        print("✓ everything runs; nothing to do")
        return
    up.up(display)
    print(f"✓ orders answers at {environment.environment()['ORDERS_URL']}")


def interactive(display: tasks.Display) -> str:
    """JupyterLab as soon as the first lesson can be done, the rest behind it.

    Returns:
        JupyterLab's address, at the start page.
    """
    _bring_notebooks()
    if not up.complete():
        up.up(display, until=CONTAINERS)
        # The rest goes on without this terminal; a second `up` would wait for it.
        log = paths.state() / "logs" / "up.log"
        process.spawn([sys.executable, "-P", "-m", "course.cli", "up"], log=log)
    jupyterlab.start()
    return jupyterlab.url(start_page.NAME) or ""


def _bring_notebooks() -> None:
    """Put new versions of the notebooks into `work/`; what the learner edited stays.

    A copy of before an update of the clone would import modules that are somewhere else now.
    """
    from course.learner import notebooks

    course = manifest.load()
    notebooks.ensure_copies(course)
    if changed := notebooks.update(course):
        print("\n".join(changed))


def browse() -> None:
    """Open JupyterLab's start page in a browser, where there is one with windows.

    The browser gets no token by its command line, which every user of the machine may read.
    """
    if sys.platform != "darwin" and not {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        return  # a browser for the terminal might take its place
    address, page = jupyterlab.url(start_page.NAME), jupyterlab.page(start_page.NAME)
    if address is None or page is None:
        return
    if "microsoft" in platform.release().lower():
        # WSL: the browser is one of Windows and finds no file by its name here.
        print("If it asks for a token: it is what follows `token=` in that address.")
        webbrowser.open(address.partition("?")[0])
    else:
        webbrowser.open(page.as_uri())


def headless(display: tasks.Display) -> str:
    """Everything, then the first lesson from its first cell to its last.

    Returns:
        What the lesson showed, and JupyterLab's address.

    Raises:
        CourseError: a cell of the lesson failed.
    """
    from course.learner import run_notebook

    began = time.monotonic()
    everything(display)
    started = time.monotonic()
    _bring_notebooks()
    environment.apply()
    stem = first_lesson()
    shown = run_notebook.lesson(paths.work() / "notebooks" / f"{stem}.ipynb")
    ran = time.monotonic()
    jupyterlab.start()
    times = (
        f"engine {started - began:.0f} s, lesson {ran - started:.0f} s, "
        f"JupyterLab {time.monotonic() - ran:.0f} s"
    )
    address = jupyterlab.url(start_page.NAME) or ""
    return f"{shown}\n✓ {stem} ran to its end ({times})\n\nJupyterLab: {address}"
