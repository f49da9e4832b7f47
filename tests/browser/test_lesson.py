"""A learner's first minutes, in a real browser: JupyterLab opens, lesson 1 runs to its end."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from course.core import manifest
from course.learner import progress
from tests.browser.conftest import RUN_WAIT_MS, Console, Lab, axe, opened, run_all, shot

LESSON = manifest.load().lessons[0]


def test_without_the_token_nobody_gets_in(jupyter: Lab, page: Page) -> None:
    page.goto(jupyter.url().split("?", maxsplit=1)[0])
    expect(page.locator("#password_input")).to_be_visible()


def test_lesson_1_runs_to_its_end_and_shows_its_picture(
    jupyter: Lab, page: Page, console: Console
) -> None:
    progress.predict("containers-image-mb", 120, "MB")
    notebook = opened(page, jupyter.url(f"notebooks/{LESSON.stem}.ipynb"), LESSON.title)
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
    expect(notebook.locator(".course-compare")).to_contain_text("You said 120 MB; measured")
    row = notebook.locator(".course-ledger")
    row.scroll_into_view_if_needed()
    expect(row).to_contain_text("2 runtimes, 2 results; one image: 2 stores, 1 result")
    assert axe(page, ".course-ledger, .course-picture, .course-compare") == []
    assert console.errors == []


def test_a_check_shows_as_a_card(jupyter: Lab, page: Page, console: Console) -> None:
    exercise = LESSON.exercises[0].id
    address = jupyter.notebook(
        "card",
        f"import course; course.setup('{LESSON.stem}')",
        f"course.check('{exercise}')",
        f"course.begin('{exercise}')",
        f"course.check('{exercise}')",
    )
    notebook = opened(page, address, "card")
    run_all(page)
    cards = notebook.locator(".course-check")
    expect(cards).to_have_count(2, timeout=RUN_WAIT_MS)
    expect(cards.first).to_contain_text("not started")
    expect(cards.last).to_contain_text("no image slug:lab")
    assert axe(page, ".course-check") == []
    shot(page, "check", cards.last)
    assert console.errors == []
