"""What the course shows in a notebook: by keyboard, in both themes, with nothing left behind."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from course.core import manifest
from course.learner import ledger, progress
from tests.browser.conftest import RUN_WAIT_MS, Console, Lab, axe, dark, opened, run_all, shot

LESSON = manifest.load().lessons[0]
EXERCISE = LESSON.exercises[0].id
ELEMENTS = ".course-predict, .course-compare, .course-hints, .course-check, .course-picture, "
ELEMENTS += ".course-ledger"
CELLS = (
    f"""\
import course
from course import begin, check, compare, hint, ledger_row, picture, predict
course.setup("{LESSON.stem}")""",
    f'predict("{LESSON.topic}-test-mb", "How large will it be?", unit="MB")',
    f"""\
predict("{LESSON.topic}-test-s", "How long will it take?", unit="s", value=2)
compare("{LESSON.topic}-test-s", 7.1, unit="s")""",
    f'check("{EXERCISE}")',
    f'hint("{EXERCISE}"); hint("{EXERCISE}")',
    """\
import matplotlib.pyplot as plt
figure, axes = plt.subplots(figsize=(3, 1))
axes.barh(["a"], [1])
picture(figure, alt="one bar", header=("what", "MB"), rows=[("a", 1)])""",
    f'ledger_row("A claim.", lesson="{LESSON.stem}", measured="1 MB", '
    'conditions="here", verdict="holds")',
)


def elements(jupyter: Lab, page: Page) -> None:
    """A notebook that shows each of the course's elements once."""
    notebook = opened(page, jupyter.notebook("elements", *CELLS), "elements")
    run_all(page)
    expect(notebook.locator(".course-ledger")).to_be_attached(timeout=RUN_WAIT_MS)


def test_a_keyboard_is_enough_and_both_themes_are_legible(
    jupyter: Lab, page: Page, console: Console
) -> None:
    elements(jupyter, page)
    page.keyboard.press("Escape")

    field = page.locator(".course-predict input")
    field.focus()
    page.keyboard.type("about 300")
    page.keyboard.press("Enter")
    form = page.locator(".course-predict")
    expect(form).to_contain_text("`about 300` is not a number")
    page.keyboard.press("Control+A")
    page.keyboard.type("300 MB")
    page.keyboard.press("Tab")
    button = form.get_by_role("button", name="Commit")
    expect(button).to_be_focused()
    shot(page, "predict", form)
    page.keyboard.press("Space")
    expect(form).to_contain_text("You said: 300 MB. Now measure.")
    expect(field).to_be_disabled()

    hints = page.locator(".course-hints details")
    expect(hints).to_have_count(2)
    first = hints.first.locator("summary")
    first.focus()
    assert first.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
    page.keyboard.press("Space")
    expect(hints.first).to_have_attribute("open", "")
    page.keyboard.press("Space")
    expect(hints.first).not_to_have_attribute("open", "")
    page.keyboard.press("Tab")
    expect(hints.last.locator("summary")).to_be_focused()

    assert axe(page, ELEMENTS) == []
    dark(page)
    assert axe(page, ELEMENTS) == []
    shot(page, "dark", page.locator(".course-hints"))
    assert console.errors == []


def test_a_wait_is_shown_and_leaves_nothing_behind(
    jupyter: Lab, page: Page, console: Console
) -> None:
    slow = """\
import time
from course.core import waiting
with waiting.shown("the answer of a service"):
    time.sleep(12)
print("done")"""
    notebook = opened(page, jupyter.notebook("wait", slow), "wait")
    run_all(page)
    bar = notebook.get_by_role("progressbar", name="the answer of a service")
    expect(bar).to_be_visible(timeout=RUN_WAIT_MS)
    assert axe(page, ".course-wait") == []
    expect(notebook.get_by_text("done", exact=True)).to_be_visible(timeout=RUN_WAIT_MS)
    expect(notebook.locator(".course-wait")).to_have_count(0)
    texts = [text.strip() for text in notebook.locator(".jp-OutputArea-output").all_inner_texts()]
    assert [text for text in texts if text] == ["done"]
    assert console.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_ledgers_page_is_legible(
    jupyter: Lab, chromium: Browser, scheme: str, console: Console
) -> None:
    assert progress.progress()["ledger"], "the notebook above wrote a row"
    file = ledger.write_html(manifest.load())
    context = chromium.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": 900, "height": 900}
    )
    page = context.new_page()
    page.on("console", console.note)
    page.goto(file.as_uri())
    expect(page.get_by_role("img", name="one bar")).to_be_visible()
    ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    bright = sum(map(int, re.findall(r"\d+", ground)[:3])) > 380
    assert bright == (scheme == "light")
    assert axe(page, "body") == []
    shot(page, f"ledger-{scheme}")
    page.emulate_media(media="print")
    assert axe(page, "body") == []
    assert console.errors == []
    context.close()
