"""course.status: what runs now, and what is still being prepared."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from course import status
from course.core import environment
from course.measure import health
from tests.running_course import GATEWAY, Said, running, system
from tests.test_cli import course


@pytest.fixture
def engine(home: Path) -> Iterator[environment.Engine]:
    """A course that is up, its ports answered by a server of the test's own."""
    with running() as made:
        yield made


def test_status_before_anything_ran(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert course(capsys, "status")[1] == "nothing runs yet: make start\n"
    assert json.loads(course(capsys, "status", "--json")[1])["engine"] is None


def test_status_of_an_interrupted_run() -> None:
    step = {"name": "c", "title": "A cluster", "state": "running", "detail": "x", "fraction": None}
    facts: dict[str, Any] = {
        "engine": "kind",
        "has": [],
        "env": {},
        "jupyterlab": None,
        "preparing": False,
        "error": "",
        "left_seconds": 0,
        "steps": [step],
        "now": [],
    }
    lines = status.lines(facts)
    assert lines[0].startswith("✗ A cluster")
    assert "  interrupted; to go on: course up" in lines


def test_status_says_what_is_true_now(
    engine: environment.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "Commands", lambda *_, **__: Said(listed=system(without="traefik")))
    facts = status.read()
    json.dumps(facts)
    assert [p["name"] for p in facts["now"] if not p["ok"]] == [GATEWAY]
    told = status.lines(facts)
    line = next(i for i, text in enumerate(told) if text.startswith(f"✗ {GATEWAY}: it has no pod"))
    assert told[line + 1] == "  try:  course up"
