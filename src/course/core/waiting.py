"""Waits until something is so, and says what is being waited for once it takes over a second.

In JupyterLab as a bar under the cell, in a terminal as a line on standard error; both are gone
when the wait is over. A notebook that is run without a browser (nbval, nbclient) shows nothing:
any output more would be a difference to what a check promises.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

_AFTER = 1.0
_EVERY = 0.5

_Answer = TypeVar("_Answer")


def eventually(
    ask: Callable[[], _Answer],
    *,
    wait: float,
    pause: float,
    until: Callable[[_Answer], object] = bool,
) -> _Answer:
    """Ask again until the answer is right or time is over; ask at least once.

    Args:
        ask: what is asked; what it raises ends the wait.
        wait: deadline in seconds; the last question comes at it.
        pause: seconds between an answer and the next question.
        until: whether an answer ends the wait; by default one that is true.

    Returns:
        The last answer, so that the caller says what is wrong with it.
    """
    deadline = time.monotonic() + wait
    while not until(answer := ask()) and (left := deadline - time.monotonic()) > 0:
        time.sleep(min(pause, left))
    return answer


class _View(Protocol):
    """Where a wait is shown."""

    def show(self, what: str, share: float | None, seconds: float) -> None:
        """Show it anew."""

    def close(self) -> None:
        """Remove every trace."""


class Wait:
    """One wait.

    Args:
        what: what is being waited for.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.share: float | None = None
        """How far it is, from 0 to 1, if that is known."""
        self._ended = threading.Event()

    def _watch(self, view: _View) -> None:
        began = time.monotonic()
        if self._ended.wait(_AFTER):
            return
        try:
            while True:
                view.show(self.what, self.share, time.monotonic() - began)
                if self._ended.wait(_EVERY):
                    return
        finally:
            view.close()


_current: Wait | None = None


@contextmanager
def shown(what: str) -> Iterator[Wait]:
    """Show a wait while what is inside runs; inside another wait, only change what that one says.

    Args:
        what: what is being waited for.
    """
    global _current  # noqa: PLW0603 - one wait at a time: a notebook and a terminal have one line
    outer = _current
    if outer is not None:
        before, outer.what = outer.what, what
        try:
            yield outer
        finally:
            outer.what = before
        return
    view = _view()
    wait = Wait(what)
    if view is None:
        yield wait
        return
    watcher = threading.Thread(target=wait._watch, args=(view,), daemon=True)
    _current = wait
    watcher.start()
    try:
        yield wait
    finally:
        _current = None
        wait._ended.set()
        watcher.join(timeout=2)


def _view() -> _View | None:
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        # Only JupyterLab's own front end sends this with a cell; nbclient and nbval do not.
        asked = kernel.get_parent().get("metadata", {})
        return _Cell() if "deletedCells" in asked else None
    return _Line() if sys.stderr.isatty() else None


class _Cell:
    """A thin bar under a cell of JupyterLab."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._last = ""

    def show(self, what: str, share: float | None, seconds: float) -> None:
        from IPython.display import display

        value = "" if share is None else f" value='{share:.2f}'"
        # Without a share only the text tells the time, in steps: each change begins the bar anew.
        told = f"{what} ({seconds // 5 * 5:.0f} s)" if seconds >= 5 else what
        markup = (
            f"<div class='course-wait' role='status'><progress max='1'{value} "
            f"aria-label='{html.escape(what)}' style='height:6px;width:12em;margin-right:1em;"
            f"vertical-align:middle'></progress>{html.escape(told)}</div>"
        )
        if markup == self._last:
            return
        self._last = markup
        bundle = {"text/plain": what, "text/html": markup}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def close(self) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": "", "text/html": ""}, raw=True)


class _Line:
    """A line on a terminal's standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)

    def show(self, what: str, share: float | None, seconds: float) -> None:
        self._progress.start()
        self._progress.update(
            self._task, description=what, total=None if share is None else 1, completed=share or 0
        )

    def close(self) -> None:
        self._progress.stop()
