"""A borrowed shop that plays its part, and what an exercise's check makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from course.exercises.kit import exercise, shop_copy, shop_facts
from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import judge
from course.exercises.kit.lab import Lab
from course.exercises.kit.probe_release import Load, ProbeRelease
from course.exercises.kit.shop import Shop
from course.exercises.kit.shop_copy import Unready
from course.exercises.kit.verdict import Wrong
from tests.exercises.shop_lab import Object
from tests.exercises.shops import deployment, tried

USUAL = Load()


class BorrowedShop:
    """A borrowed shop.

    Args:
        made: what the learner has made of it.
        there: the release of the check's own.
        back: the one that gives it back.
    """

    def __init__(self, made: Object, there: ProbeRelease, back: ProbeRelease) -> None:
        self.deployment, self._there, self._back = made, there, back
        self.asked: list[Object] = []

    def release(self, settings: Object, *, wait: float, load: Load = USUAL) -> ProbeRelease:
        self.asked.append({**settings, "rate": load.rate})
        return self._there

    def give_back(self, first: Callable[[], None], *, wait: float, load: Load) -> ProbeRelease:
        first()
        self.asked.append({"rate": load.rate, "timeout": load.timeout})
        return self._back


def judged(
    monkeypatch: pytest.MonkeyPatch,
    id_: str,
    made: Object | None = None,
    there: ProbeRelease | None = None,
    back: ProbeRelease | None = None,
    *,
    ready: bool = False,
) -> Lab:
    """Judge an exercise's observation of such a shop, and return its lab.

    Raises:
        Wrong: as the exercise judges.
    """
    made = made or deployment()
    lab, shop = Lab(id_), BorrowedShop(made, there or tried(), back or tried())
    lab.drawn = Draw(7)
    lab.shop_, lab.ran = shop, []  # type: ignore[attr-defined]
    looked: list[float] = []

    @contextmanager
    def starting(*_: object) -> Iterator[Any]:
        def seen(wait: float = 0) -> Unready:
            looked.append(wait)
            return Unready(ready, 2, made, "2000")

        yield SimpleNamespace(seen=seen)

    @contextmanager
    def borrowed(_: Shop) -> Iterator[BorrowedShop]:
        yield shop

    monkeypatch.setattr(Shop, "borrowed", borrowed)
    monkeypatch.setattr(shop_copy, "starting_pod", starting)
    for name in ("at_rest", "answers"):
        monkeypatch.setattr(shop_facts, name, lambda *_, **__: iter(()))
    monkeypatch.setattr(
        shop_facts, "reached", lambda _, release: shop_facts.Reached(release, "", "", ())
    )
    monkeypatch.setattr(Lab, "recall", lambda *_: "2000")
    monkeypatch.setattr(Lab, "run", lambda lab, *argv, **_: lab.ran.append(argv))
    code = exercise.find(id_)
    lab.looked = looked  # type: ignore[attr-defined]
    judge(lab, code._code.observe(lab))
    return lab


def cause(judged: Callable[..., Lab], *args: Any, **more: Any) -> str:
    """The cause that follows; empty if nothing is wrong."""
    try:
        judged(*args, **more)
    except Wrong as wrong:
        return wrong.cause
    return ""
