"""The start page: JupyterLab opens it, its links lead on, and it is never out of date."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from course.core import manifest
from course.learner import progress
from course.learner import start_page as start_page_
from tests.browser.conftest import START_WAIT_MS, Console, Lab, axe, dark, shot

COURSE = manifest.load()
LESSON = COURSE.lessons[0]
MAP = ".jp-MarkdownViewer .jp-RenderedMarkdown"


def start_page(jupyter: Lab, page: Page) -> Locator:
    page.goto(jupyter.url(start_page_.NAME))
    shown = page.locator(MAP)
    expect(shown.locator("h1")).to_contain_text(COURSE.title, timeout=START_WAIT_MS)
    return shown


def test_it_opens_as_a_page_with_one_place_to_go_on(
    jupyter: Lab, page: Page, console: Console
) -> None:
    shown = start_page(jupyter, page)
    expect(shown.get_by_role("link", name=LESSON.title, exact=True)).to_be_visible()
    expect(shown.get_by_text("to come").first).to_be_visible()
    shot(page, "start")
    assert axe(page, MAP) == []
    dark(page)
    assert axe(page, MAP) == []
    shot(page, "start-dark")
    assert console.errors == []


def test_its_links_open_lesson_and_lab_and_those_lead_back(
    jupyter: Lab, page: Page, console: Console
) -> None:
    start_page(jupyter, page).get_by_role("link", name=LESSON.title, exact=True).click()
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator("h1").first).to_contain_text(LESSON.title, timeout=START_WAIT_MS)
    notebook.get_by_role("link", name="lab", exact=True).first.click()
    expect(notebook.locator("h1").first).to_contain_text("Lab", timeout=START_WAIT_MS)
    notebook.get_by_role("link", name="lesson", exact=True).first.click()
    expect(notebook.locator("h1").first).to_contain_text(LESSON.title, timeout=START_WAIT_MS)
    notebook.get_by_role("link", name="course map", exact=True).first.click()
    expect(page.locator(MAP)).to_be_visible()
    assert console.errors == []


def test_it_follows_the_learner_while_it_is_open(
    jupyter: Lab, page: Page, console: Console
) -> None:
    shown = start_page(jupyter, page)
    exercise = LESSON.exercises[0]
    row = shown.locator("tr").filter(has_text=exercise.title)
    expect(row).to_contain_text("to do")
    progress.record(exercise.id, passed=True, found={})
    expect(row).to_contain_text("✓ done", timeout=10_000)
    expect(shown.get_by_text("Go on:")).to_contain_text(LESSON.exercises[1].title)
    assert console.errors == []
