"""The buttons of a strategy: what they do is given, when they may is known here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import traitlets

from course.core.errors import CourseError
from course.views.widgets.live import MAXIMUM, Live, front
from course.views.widgets.pods import Samples, Status

Why = Callable[[Status], str]


def _start(status: Status) -> str:
    if status.state == "progressing":
        return "a rollout is under way"
    return "it is paused: resume it first" if status.state == "paused" else ""


def _pause(status: Status) -> str:
    if status.state == "paused":
        return "it is paused already"
    return "no rollout is under way" if status.state == "complete" else ""


def _resume(status: Status) -> str:
    return "" if status.state == "paused" else "it is not paused"


def _undo(status: Status) -> str:
    if status.state == "paused":
        return "it is paused: resume it first"
    return "" if status.previous else "there is no earlier revision"


RULES: dict[str, Why] = {"start": _start, "pause": _pause, "resume": _resume, "undo": _undo}
"""Why an action cannot be done now, by its name, in the order of the buttons; empty if it can."""


def why_not(action: str, status: Status | None, *, busy: str = "", running: bool = True) -> str:
    """Why a button is disabled.

    Args:
        action: its name.
        status: where the rollout is; `None` while nothing has been seen.
        busy: the action that is being done.
        running: whether the view still follows its feed.

    Returns:
        One short sentence, or an empty one if it can be pressed.
    """
    if not running:
        return "the view has ended: run its cell again"
    if status is None:
        return "nothing has been seen yet"
    if status.state == "gone":
        return "the Deployment is not there"
    return f"{busy} is being done" if busy else RULES[action](status)


class StrategyModel:
    """Where the rollout is, and what was done.

    Args:
        actions: names of the buttons.
    """

    def __init__(self, actions: list[str]) -> None:
        self.status: Status | None = None
        self.busy = ""
        self.running = True
        self.log: list[tuple[float, str, str]] = []
        """Seconds, action and outcome."""
        self._actions = actions
        self._seen = 0
        self._told: dict[str, Any] = {}

    def read(self, feed: Samples) -> None:
        """Take the newest sample."""
        samples = feed.samples(since=self._seen)
        self._seen += len(samples)
        if samples:
            self.status = samples[-1].status

    def changes(self, seconds: float) -> dict[str, Any]:
        """See `Model.changes`."""
        now = {"reasons": self.reasons(), "text": self.text(), "busy": self.busy}
        out = {name: value for name, value in now.items() if self._told.get(name) != value}
        self._told |= out
        return out

    def reasons(self) -> dict[str, str]:
        """Why each button is disabled; empty where it is not."""
        return {
            action: why_not(action, self.status, busy=self.busy, running=self.running)
            for action in self._actions
        }

    def frame(self) -> dict[str, Any]:
        """See `Model.frame`."""
        return {}

    def text(self) -> str:
        """See `Model.text`."""
        if self.status is None:
            return "nothing seen yet"
        return (
            f"{self.status.state}: {self.status.message} "
            f"(revision {self.status.revision}, {self.status.version})"
        )

    def table(self) -> tuple[list[str], list[list[str]]]:
        """See `Model.table`."""
        rows = [[f"{at:.1f}", action, said] for at, action, said in self.log]
        return ["seconds", "action", "what came of it"], rows


class StrategyControl(Live):
    """Buttons that act on a rollout.

    Args:
        feed: a feed of samples: it says which buttons make sense now.
        actions: what each button does, by its name: start, pause, resume, undo.
        labels: what stands on them, where it is not the name.
        title: shown above them.
        maximum: seconds after which it ends, and the feed with it.

    Raises:
        CourseError: an action that has no rule.
    """

    _model: StrategyModel
    _feed: Samples
    _esm, _css = front("strategy")
    buttons = traitlets.List([]).tag(sync=True)
    reasons = traitlets.Dict({}).tag(sync=True)
    busy = traitlets.Unicode("").tag(sync=True)
    error = traitlets.Dict({}).tag(sync=True)
    acknowledged = traitlets.Int(0).tag(sync=True)

    def __init__(
        self,
        feed: Samples,
        actions: Mapping[str, Callable[[], object]],
        *,
        labels: Mapping[str, str] | None = None,
        title: str = "Rollout",
        maximum: float = MAXIMUM,
    ) -> None:
        unknown = sorted(set(actions) - set(RULES))
        if unknown:
            raise CourseError(
                f"no button is called `{unknown[0]}`", f"one of: {', '.join(RULES)}", ""
            )
        names = [name for name in RULES if name in actions]
        self._actions = dict(actions)
        self._began = time.monotonic()
        super().__init__(feed, StrategyModel(names), title=title, maximum=maximum)
        labels = labels or {}
        self.buttons = [[name, labels.get(name, name.capitalize())] for name in names]
        self.reasons = self._model.reasons()

    def press(self, action: str) -> None:
        """Do what a button does, if it can be pressed now.

        Args:
            action: its name.
        """
        with self._setting:
            why = self._model.reasons().get(action, "no such button")
            if why:
                self._told(action, CourseError(f"{action} was not done: {why}"))
                return
            self._model.busy = action
            self._set(self._model.changes(0) | {"error": {}})
        failed: CourseError | None = None
        said = ""
        try:
            said = str(self._actions[action]() or "done")
        except CourseError as error:
            failed = error
        except Exception as error:
            failed = CourseError(
                f"{action} failed: {type(error).__name__}: {error}", "", "look at the cluster"
            )
        with self._setting:
            self._model.busy = ""
            self._model.read(self._feed)
            self._told(action, failed, said)

    def _told(self, action: str, failed: CourseError | None, said: str = "") -> None:
        """Show what came of an action."""
        said = failed.saw if failed else said
        self._model.log.append((round(time.monotonic() - self._began, 1), action, said))
        error = {"saw": failed.saw, "want": failed.want, "try": failed.try_} if failed else {}
        out = {"error": error, "announcement": f"{action}: {said}"}
        self._set(self._model.changes(0) | out | {"rows": self._model.table()[1][-5:]})

    def _asked(self, _: object, content: Any, __: object) -> None:
        if isinstance(content, dict) and content.get("do") == "press":
            self.acknowledged = int(content.get("number", 0))
            self.press(str(content.get("action", "")))
        else:
            super()._asked(_, content, __)

    def _finish(self, why: str) -> None:
        self._model.running = False
        self._set(self._model.changes(0))
        super()._finish(why)

    def _drawn(self) -> None:
        """Buttons of a view that has ended would do nothing: what was done stands in a table."""
