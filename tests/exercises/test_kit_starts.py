"""course.exercises.kit.starts: an image is started twice, its contract asked before and after."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from course.core.names import CHECK_IMAGE
from course.exercises.kit.copy import Copy
from course.exercises.kit.draw import Draw
from course.exercises.kit.facts import Facts
from course.exercises.kit.lab import Lab
from course.exercises.kit.starts import keeps
from course.exercises.kit.verdict import Wrong


@dataclass(frozen=True)
class Echoed(Facts):
    """What the service made of a word."""

    word: str
    said: str

    def wrong(self) -> Wrong | None:
        """Say that it is another word."""
        if self.said != self.word:
            return Wrong("no-echo", saw=f"it says {self.said}", want=self.word, try_="curl")
        return None

    def notes(self) -> Iterator[str]:
        """Say that it answers."""
        yield "it answers"


class Echo:
    """A service that answers what it is asked, until it is told otherwise.

    Args:
        done: what happens to it, in its order.
        until: so many answers are right.
    """

    def __init__(self, done: list[str], until: int = 100) -> None:
        self.done, self.until = done, until

    def hear(self, word: str) -> str:
        self.done.append("asked")
        self.until -= 1
        return word if self.until >= 0 else "nothing"

    def restart(self, ref: str) -> None:
        self.done.append(f"restart {ref}")


def contract(served: Any, draw: Draw) -> Iterator[Facts]:
    """Ask for one word that is drawn."""
    word = draw.word()
    yield Echoed(word, served.hear(word))


Started = Callable[..., list[str]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Start a service and do something to it; what happened to it."""
    done: list[str] = []

    def start(right: int = 100, asked: Any = contract, **more: Any) -> list[str]:
        service = Echo(done, right)

        @contextlib.contextmanager
        def container(*_: object, **given: Any) -> Iterator[Echo]:
            done.append(" ".join(["run", *given.get("arguments", ())]))
            yield service

        monkeypatch.setattr(Lab, "image", lambda *_: None)
        monkeypatch.setattr(Lab, "alone", lambda _: contextlib.nullcontext({}))
        monkeypatch.setattr(Lab, "container", container)
        with Lab("mini-1").starts("echo:lab", 3000, asked, **more) as starts:
            for _ in starts:
                done.append("done to")
        return done

    return start


def test_the_contract_is_asked_before_and_after_at_both_starts(started: Started) -> None:
    once = ["asked", "done to", "asked"]
    assert started() == ["run", *once, "restart echo:lab", *once]


@pytest.mark.parametrize(
    ("right", "saw"),
    [
        (0, "it says nothing"),
        (1, "asked again, it says nothing"),
        (2, "at its second start, it says nothing"),
        (3, "at its second start, asked again, it says nothing"),
    ],
)
def test_a_contract_that_is_broken_says_when(started: Started, right: int, saw: str) -> None:
    with pytest.raises(Wrong) as told:
        started(right)
    assert (told.value.cause, told.value.saw) == ("no-echo", saw)


def test_each_default_is_turned_off_by_a_reason(started: Started) -> None:
    assert started(asked="it prints and ends", once="it keeps no files") == ["run", "done to"]


def test_what_is_ended_on_purpose_is_not_asked_again(started: Started) -> None:
    assert started(ends="the check stops it", once="it is stopped") == ["run", "asked", "done to"]


def test_what_is_asked_is_drawn_for_each_time_from_the_seed_of_the_check() -> None:
    lab, words = Lab("mini-1"), []

    def hear(word: str) -> str:
        words.append(word)
        return word

    served: Any = type("Served", (), {"hear": staticmethod(hear)})
    for _ in range(2):
        keeps(lab, contract, served)
    assert len(set(words)) == 2 and lab.drawn is not None and lab.notes == ["it answers"]


def test_the_image_of_a_copy_is_named_as_the_learner_makes_it(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def container(lab: Lab, image: Copy, **_: object) -> object:
        assert image.tag.startswith(CHECK_IMAGE)
        return contextlib.nullcontext(Echo([], 0))

    monkeypatch.setattr(Lab, "image", lambda _, ref: ref.startswith(CHECK_IMAGE) or 1 / 0)
    monkeypatch.setattr(Lab, "alone", lambda _: contextlib.nullcontext({}))
    monkeypatch.setattr(Lab, "container", container)
    lab = Lab("mini-1")
    lab.write("Dockerfile", "FROM scratch")
    with lab.copy() as copy:
        assert copy.called == "$(docker build -q mini-1)"
        with pytest.raises(Wrong, match="no-echo"):
            lab.serves(copy, 3000, contract)


def test_a_service_of_which_nothing_else_is_wanted_is_asked_for_its_contract(
    started: Started,
) -> None:
    done = started(right=8)
    done.clear()
    Lab("mini-1").serves("echo:lab", 3000, contract)
    assert done == ["run", "asked", "asked", "restart echo:lab", "asked", "asked"]
    with pytest.raises(Wrong, match="no-echo"):
        Lab("mini-1").serves("echo:lab", 3000, contract)
