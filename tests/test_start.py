"""course.start: the browser is opened at JupyterLab, and nobody else reads its token."""

from __future__ import annotations

import stat
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from course import start
from course.engine import jupyterlab
from course.learner import start_page
from tests.running_lab import TOKEN, running_lab


@pytest.fixture
def running(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A JupyterLab that seems to run, and what browsers are called with."""
    with running_lab(home, monkeypatch) as opened:
        yield opened


def test_a_browsers_command_line_has_no_token(running: list[str], home: Path) -> None:
    start.browse()
    (address,) = running
    page = Path(urllib.parse.unquote(urllib.parse.urlsplit(address).path))
    assert address.startswith("file://") and TOKEN not in address
    assert f"token={TOKEN}" in page.read_text()
    assert page.is_relative_to(home / "clone"), "a snap reads nothing in ~/.local"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    jupyterlab.stop()
    assert not page.exists()


def test_a_browser_of_windows_gets_the_address_without_the_token(
    running: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.release", lambda: "5.15.167.4-microsoft-standard-WSL2")
    start.browse()
    assert running == [f"http://127.0.0.1:8888/lab/tree/{start_page.NAME}"]
    assert "token=" in capsys.readouterr().out


def test_without_windows_no_browser_is_opened(
    running: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    start.browse()
    assert running == []
