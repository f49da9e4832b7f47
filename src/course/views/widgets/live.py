"""What the live views share: one thread that moves changes from a model to traits, and an end.

The model sends what is new ten times a second at most (`delta`), and now and then everything
(`frame`). A page that comes late, or that missed something, is whole again at the next frame, and
nothing has to be asked of a kernel that is busy with a cell.
"""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import anywidget
import traitlets

from course.core.errors import CourseError
from course.views import pictures, plot_style
from course.views.shown import Shown

PERIOD = 0.1
"""Seconds between two updates: ten messages a second at most."""
FRAME_EVERY = 2.0
MAXIMUM = 900.0

_FRONT = Path(__file__).with_name("front")
_numbers = itertools.count(1)


class Feed(Protocol):
    """What is shown; it may end by itself."""

    @property
    def running(self) -> bool:
        """Whether more may come."""

    def stop(self) -> object:
        """End it."""


class Model(Protocol):
    """The pure side of a view: what came in, as traits to send."""

    def read(self, feed: Any) -> None:
        """Take what is new."""

    def changes(self, seconds: float) -> dict[str, Any]:
        """Traits that differ since the last call; empty if nothing does.

        Args:
            seconds: since the view began.
        """

    def frame(self) -> dict[str, Any]:
        """Everything a page needs that saw none of it."""

    def text(self) -> str:
        """One sentence: where it stands."""

    def table(self) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
        """The same facts as header and rows."""


def front(name: str) -> tuple[str, str]:
    """The script and the style of a view, each with what all views share before it."""
    script = "\n".join((_FRONT / f"{part}.js").read_text("utf-8") for part in ("common", name))
    return script, (_FRONT / "common.css").read_text("utf-8")


class Live(anywidget.AnyWidget):  # type: ignore[misc]
    """A view that follows a feed to its end.

    Args:
        feed: what is shown.
        model: its pure side.
        title: shown above it.
        maximum: seconds after which it stops following; the feed is stopped too.
    """

    title = traitlets.Unicode("").tag(sync=True)
    palette = traitlets.List(list(plot_style.COLORS)).tag(sync=True)
    running = traitlets.Bool(True).tag(sync=True)
    text = traitlets.Unicode("").tag(sync=True)
    announcement = traitlets.Unicode("").tag(sync=True)
    header = traitlets.List([]).tag(sync=True)
    rows = traitlets.List([]).tag(sync=True)
    frame = traitlets.Dict({}).tag(sync=True)
    delta = traitlets.Dict({}).tag(sync=True)

    def __init__(self, feed: Feed, model: Model, *, title: str, maximum: float = MAXIMUM) -> None:
        self._feed, self._model = feed, model
        self._maximum = maximum
        self._setting = threading.RLock()
        self._end = threading.Event()
        self._framed = 0.0
        self._shown = self._ended = False
        self._display = f"course-view-{next(_numbers)}"
        self.took: deque[float] = deque(maxlen=1000)
        """Seconds of processor that each of the last updates took in the kernel."""
        model.read(feed)
        header, rows = model.table()
        super().__init__(
            title=title,
            text=model.text(),
            header=list(header),
            rows=[list(row) for row in rows],
            frame=model.frame(),
        )
        self.on_msg(self._asked)
        plot_style.load()  # it draws its still in a thread, while a cell may draw too
        # In the context of the cell that made it: else the kernel takes what the thread sends for
        # an answer to whatever came last, and leads the page's messages to where that ran.
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._follow,), name=self._display, daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop following, and stop the feed."""
        self._end.set()
        with contextlib.suppress(CourseError):
            self._feed.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)

    def still(self) -> Shown:
        """It as a picture and a table, as it is now."""
        return self._still(pictures.picture)

    def _still(self, show: Callable[..., Shown]) -> Shown:
        with self._setting:
            header, rows = self._model.table()
            drawn = self._drawn()
            if drawn is None:
                text = f"{self.title}: {self._model.text()}"
                return pictures.facts(text, header=header, rows=rows)
            return show(drawn[0], alt=drawn[1], header=header, rows=rows)

    def _drawn(self) -> tuple[Any, str] | None:
        """The view as a figure with its alternative text, if there is something to draw."""
        raise NotImplementedError

    # -- the thread

    def _follow(self) -> None:
        began = time.monotonic()
        why = ""
        while not self._end.wait(PERIOD):
            if not self._feed.running:
                break
            try:
                self._update(time.monotonic() - began)
            except Exception as error:  # it must be seen, and a thread must not print
                why = f"the view ended: {type(error).__name__}: {error}"
                break
            if time.monotonic() - began > self._maximum:
                why = f"the view ended after {self._maximum:.0f} s"
                with contextlib.suppress(CourseError):
                    self._feed.stop()
                break
        self._finish(why)

    def _update(self, seconds: float) -> None:
        began = time.thread_time()
        with self._setting:
            self._model.read(self._feed)
            changes = self._model.changes(seconds)
            if changes and seconds - self._framed >= FRAME_EVERY:
                self._framed = seconds
                changes["frame"] = self._model.frame()
            self._set(changes)
        self.took.append(time.thread_time() - began)

    def _set(self, changes: dict[str, Any]) -> None:
        """Send changes in one message."""
        if changes:
            with self._setting, self.hold_sync():
                for name, value in changes.items():
                    setattr(self, name, value)

    def _finish(self, why: str) -> None:
        self._end.set()
        with contextlib.suppress(Exception):  # e.g. the feed is what failed
            self._model.read(self._feed)
        header, rows = self._model.table()
        text = self._model.text() + (f"; {why}" if why else "")
        last = {"running": False, "frame": self._model.frame(), "text": text}
        last |= {"announcement": f"Ended: {text}"} | self._closing()
        self._set(last | {"header": list(header), "rows": [list(row) for row in rows]})
        with self._setting:
            self._ended = True
            if self._shown:
                self._replace(self._still(pictures.drawn))

    def _closing(self) -> dict[str, Any]:
        """What else the last message tells."""
        return {}

    def _asked(self, _: object, content: Any, __: object) -> None:
        """A message of the page."""
        if content == {"do": "stop"}:
            self.stop()

    # -- in a notebook

    def __repr__(self) -> str:
        return f"{self.title}: live in JupyterLab; `.still()` gives a picture and a table"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        with self._setting:
            self._shown = True
            if self._ended:
                display(_bundle(self._still(pictures.drawn)), raw=True, display_id=self._display)
                return
        live = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        display(
            {"text/plain": repr(self), "application/vnd.jupyter.widget-view+json": live},
            raw=True,
            display_id=self._display,
        )

    def _replace(self, still: Shown) -> None:
        """Leave a still in the place of the live view: that is what a saved notebook keeps."""
        from IPython import get_ipython
        from IPython.display import display

        if get_ipython() is not None:
            display(_bundle(still), raw=True, display_id=self._display, update=True)


def _bundle(still: Shown) -> dict[str, str]:
    return {"text/plain": repr(still), "text/html": still.markup}
