"""What the image of slim-images-1 holds, and what its service answers."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from course.exercises import slim_images
from course.exercises.kit import exercise, image
from course.exercises.kit.image import Contents
from course.exercises.kit.reply import Heard, Reply
from course.exercises.slim_images import Shipped
from course.measure.layers import Entry, Layer
from tests.exercises.image_lab import ImageLab, broken, files, seen


@pytest.mark.parametrize("gone", [[], [[12, 25], [8, 1], [1, 1]]])
def test_a_due_service_is_right_as_long_as_it_knows_each_holiday(gone: list[list[int]]) -> None:
    data = json.loads((files("slim-images-1") / "calendar/holidays.json").read_text())
    holidays = {tuple(map(int, day.split("-"))) for day in data}
    assert holidays == set(slim_images._HOLIDAYS)
    known = holidays - {tuple(day) for day in gone}

    def answer(query: str) -> Reply:
        start, days = query.removeprefix("/?from=").split("&days=")
        due = date.fromisoformat(start) + timedelta(int(days))
        while due.isoweekday() > 5 or (due.month, due.day) in known:
            due += timedelta(1)
        return Reply(200, json.dumps({"due": str(due), "late": "yes" if due.year < 2030 else "no"}))

    assert broken(slim_images._due, answer) == ({"wrong-answer"} if gone else set())


@pytest.mark.parametrize(
    ("path", "development", "source"),
    [
        ("app/node_modules/typescript/bin/tsc", True, False),
        ("usr/local/lib/node_modules/typescript/bin/tsc", True, False),
        ("app/node_modules/@types/node/index.d.ts", True, False),
        ("app/node_modules/luxon/build/node/luxon.js", False, False),
        ("app/service/src/server.ts", False, True),
        ("app/node_modules/@due/calendar/src/index.ts", False, True),
        ("app/calendar/dist/index.d.ts", False, False),
        ("app/caf\\xe9.ts", False, True),
        ("app/service/src/server.mts", False, True),
        ("app/service/src/page.tsx", False, True),
        ("app/calendar/dist/index.d.mts", False, False),
    ],
)
def test_what_only_a_build_needs_is_known_by_its_path(
    path: str, development: bool, source: bool
) -> None:
    assert slim_images._is_development(path) == development
    assert slim_images._is_source(path) == source


def test_each_source_has_a_text_by_which_it_is_found_under_any_name() -> None:
    for name, text in zip(
        ("calendar/src/index.ts", "service/src/server.ts"), slim_images._SOURCES, strict=True
    ):
        assert text in (files("slim-images-1") / name).read_bytes()


def _shipped(path: str, text: bytes, monkeypatch: pytest.MonkeyPatch) -> Shipped:
    """What a check sees of an image with one file, which has a text."""
    layer = Layer("COPY / /", (Entry(path, "file", len(text)),), found={text: (path,)})
    monkeypatch.setattr(image, "contents", lambda *_: Contents((layer,)))
    lab = ImageLab("slim-images-1")
    monkeypatch.setattr(lab, "serves", lambda *_: None)
    (shipped,) = exercise.find(lab.id)._code.observe(lab)
    assert isinstance(shipped, Shipped)
    return shipped


@pytest.mark.parametrize(
    ("path", "text", "cause"),
    [
        ("app/types/node/package.json", b'"name": "@types/node"', "copied-whole"),
        ("app/package-lock.json", b'"name": "@types/node"', ""),
        ("root/.npm/_cacache/index-v5/b3/94/c7", b"/typescript/-/", "npm-cache"),
        ("app/package-lock.json", b"/typescript/-/", ""),
    ],
)
def test_a_development_package_is_found_in_any_folder_and_in_npms_cache(
    path: str, text: bytes, cause: str, images: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = _shipped(path, text, monkeypatch).wrong()
    assert (wrong.cause if wrong else "") == cause


def test_a_long_pause_is_the_longest_that_there_is() -> None:
    def days_off(day: date) -> int:
        off = day.weekday() > 4 or (day.month, day.day) in slim_images._HOLIDAYS
        return 1 + days_off(day + timedelta(1)) if off else 0

    every = (date(2040, 1, 1) + timedelta(days) for days in range(366 * 28))
    longest = max(map(days_off, every))
    assert {days_off(day) for day in slim_images._LONG_PAUSES} == {longest}


def test_what_runs_and_nothing_else_is_right(home: Path, images: Any) -> None:
    def hear(query: str) -> Heard:
        asked = dict(parse_qsl(query.removeprefix("/?")))
        due = date.fromisoformat(asked["from"]) + timedelta(int(asked["days"]))
        while due.weekday() > 4 or (due.month, due.day) in slim_images._HOLIDAYS:
            due += timedelta(1)
        return Reply(200, json.dumps({"due": str(due), "late": "yes" if due.year < 2030 else "no"}))

    (shipped,) = seen(ImageLab("slim-images-1", hear))
    assert list(shipped.notes()) == ["above the base your layers hold 8.7 MB in 0 files"]
