"""A learner's first minutes, in a real browser: JupyterLab opens, lesson 1 runs to its end."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, expect, sync_playwright

from course import engines, lab, manifest, workspace

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# What JupyterLab 4.6 itself says at every start, not ours to mend.
KNOWN = ("favicon", "ResizeObserver loop")
STEM = manifest.load().lessons[0].stem
RUN_WAIT_MS = 240_000


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    work = tmp_path_factory.mktemp("work")
    before = os.environ.get("COURSE_WORK")
    os.environ["COURSE_WORK"] = str(work)
    os.environ.update(engines.environment())
    lab.stop()
    workspace.ensure_copies(manifest.load())
    lab.start()
    try:
        yield lab.url(f"notebooks/{STEM}.ipynb") or ""
    finally:
        lab.stop()
        if before is None:
            del os.environ["COURSE_WORK"]
        else:
            os.environ["COURSE_WORK"] = before


@pytest.fixture
def errors() -> list[str]:
    return []


@pytest.fixture
def page(errors: list[str]) -> Iterator[Page]:
    assert CHROMIUM, "no Chromium on this machine: apt-get install chromium"

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in KNOWN):
            errors.append(f"{message.text} ({message.location.get('url', '')})")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1360, "height": 900}, device_scale_factor=1)
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        browser.close()


def shot(page: Page, name: str, at: Locator | None = None) -> None:
    """Keep a picture where COURSE_PICTURES says, e.g. for the README."""
    folder = os.environ.get("COURSE_PICTURES")
    if folder:
        for _ in range(3):  # cells above it get their height only when they are drawn
            if at is not None:
                at.evaluate("element => element.scrollIntoView({block: 'center'})")
            time.sleep(0.5)
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")


def run_all(page: Page) -> None:
    """As a learner does, once the kernel is there."""
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def test_without_the_token_nobody_gets_in(address: str, page: Page) -> None:
    page.goto(address.split("?", maxsplit=1)[0])
    expect(page.locator("#password_input")).to_be_visible()


def test_lesson_1_runs_to_its_end_and_shows_its_picture(
    address: str, page: Page, errors: list[str]
) -> None:
    page.goto(address)
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator("h1")).to_contain_text("Run the same thing everywhere", timeout=60_000)
    shot(page, "opened")
    run_all(page)
    expect(notebook.locator(".course-ledger")).to_be_attached(timeout=RUN_WAIT_MS)
    assert notebook.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert notebook.get_by_text("Traceback").count() == 0

    assert page.get_by_text("official Jupyter news").count() == 0

    picture = notebook.locator(".course-picture img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_be_visible()
    assert "layers" in (picture.get_attribute("alt") or "")
    assert picture.evaluate("image => image.naturalWidth") > 400
    shot(page, "lesson", picture)
    row = notebook.locator(".course-ledger")
    row.scroll_into_view_if_needed()
    expect(row).to_contain_text("2 runtimes, 2 results; one image: 2 stores, 1 result")
    shot(page, "ledger", row)
    assert errors == []


def test_a_check_shows_as_a_card(address: str, page: Page, errors: list[str]) -> None:
    page.goto(address.replace("/notebooks/", "/labs/"))
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator("h1")).to_contain_text("Lab", timeout=60_000)
    run_all(page)
    exercises = manifest.load().lessons[0].exercises
    cards = notebook.locator(".course-check")
    expect(cards).to_have_count(len(exercises), timeout=RUN_WAIT_MS)
    expect(cards.first).to_contain_text("no image `slug:lab`")
    shot(page, "check", cards.first)
    assert errors == []
