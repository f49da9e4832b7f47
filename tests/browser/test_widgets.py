"""The live views in JupyterLab: they draw, they act, they can be read, and they leave a still."""

from __future__ import annotations

from pathlib import Path

import nbformat
from playwright.sync_api import Locator, Page, expect

from course import paths
from tests.browser.conftest import Console, Lab, axe, opened, run_all, shot

PLAYED = f"""
import sys; sys.path.insert(0, {str(paths.ROOT)!r})
from course.widgets import RolloutTimeline, StrategyControl, TrafficView
from tests.feeds import PlayedRollout, PlayedRun, stalled, update
"""


def notebook(jupyter: Lab, name: str, *cells: str) -> str:
    """Write a notebook; returns its address."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": ""}
    made.cells = [nbformat.v4.new_markdown_cell(f"# {name}")]
    made.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    file = Path(jupyter.work) / f"{name}.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, file)
    return jupyter.url(file.name)


def dark(page: Page) -> None:
    """Choose the dark theme; an entry that opens a menu has no role of its own."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    for label in ("Theme", "JupyterLab Dark"):
        page.locator(".lm-Menu-itemLabel").get_by_text(label, exact=True).click()
    expect(page.locator("body[data-jp-theme-light='false']")).to_be_attached()


def pixels(page: Page, at: Locator) -> bytes:
    return at.screenshot()


def test_the_pictures_of_the_views(jupyter: Lab, page: Page, console: Console) -> None:
    address = notebook(
        jupyter,
        "played",
        PLAYED,
        "TrafficView(PlayedRun(seconds=40), title='Traffic to shop',"
        " weights=lambda: ({'1.0.0': 50, '1.1.0': 50}, {'1.0.0': 50, '1.1.0': 50}))",
        "feed = PlayedRollout(update(16), length=40)\nRolloutTimeline(feed)",
        "def undo(): raise RuntimeError('no')\n"
        "StrategyControl(feed, {'start': print, 'pause': print, 'resume': print, 'undo': undo},"
        " labels={'start': 'Start 1.1.0'})",
    )
    book = opened(page, address)
    run_all(page)
    views = book.locator(".course-view")
    expect(views).to_have_count(3, timeout=60_000)
    for theme in ("light", "dark"):
        if theme == "dark":
            dark(page)
        page.wait_for_timeout(6000)
        for name, view in zip(("traffic", "timeline", "strategy"), views.all(), strict=True):
            shot(page, f"widget-{name}-{theme}", view)
        assert axe(page, ".course-view") == []
    expect(book.locator(".course-picture")).to_have_count(2, timeout=60_000)
    shot(page, "widget-still", book.locator(".course-picture").first)
    shot(page, "widget-still-timeline", book.locator(".course-picture").last)
    assert console.errors == []
