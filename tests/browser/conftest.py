"""JupyterLab as a learner opens it, in Chromium: one JupyterLab a file, one page a test."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from course.artifacts import packages
from course.core import environment, manifest, paths
from course.engine import jupyterlab
from course.learner import notebooks

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = "npm:axe-core@4.14.1/axe.min.js"
# What JupyterLab 4.6 itself says at every start, not ours to mend; and what Chromium says when
# Docker adds or removes a network, after which JupyterLab asks again.
KNOWN = ("favicon", "ResizeObserver loop", "ERR_NETWORK_CHANGED")
SIZE: ViewportSize = {"width": 1360, "height": 900}
START_WAIT_MS = 60_000
RUN_WAIT_MS = 240_000


@dataclass
class Lab:
    """A JupyterLab of one test file.

    Args:
        work: its learner's folder.
    """

    work: Path

    def url(self, path: str = "") -> str:
        """Its address with the token, at a file below the learner's folder.

        Each time in a new workspace: JupyterLab would first bring back what an earlier test had
        open there, and put the file itself in front some seconds later, over what was clicked.
        """
        address = jupyterlab.url(path) or ""
        return address.replace("/lab/tree/", f"/lab/workspaces/{uuid.uuid4().hex[:8]}/tree/")

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of these code cells into the learner's folder; its address."""
        path = self.work / f"{name}.ipynb"
        made = [new_markdown_cell(f"# {name}"), *map(new_code_cell, cells)]
        about = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(new_notebook(cells=made, metadata=about), path)
        return self.url(path.name)


@dataclass
class Console:
    """What the browser's console said.

    Args:
        errors: each error with its place, without what JupyterLab always says.
    """

    errors: list[str] = field(default_factory=list)

    def note(self, message: ConsoleMessage) -> None:
        """Keep an error."""
        if message.type == "error" and not any(word in message.text for word in KNOWN):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture(scope="module")
def jupyter() -> Iterator[Lab]:
    """A JupyterLab with a learner's folder, settings and a record of its own.

    The engine is the one that runs; nobody else's JupyterLab is ended.
    """
    home = Path(tempfile.mkdtemp(prefix="learner-"))  # short: it stands in pictures
    state = home / "state"
    state.mkdir()
    for name in ("bin", "engine.json", "steps.json"):
        if (paths.state() / name).exists():
            (state / name).symlink_to(paths.state() / name)
    variables = {
        "COURSE_STATE": state,
        "COURSE_WORK": home / "work",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, str(value))
        for name, text in environment.environment().items():
            patch.setenv(name, text)
        notebooks.ensure_copies(manifest.load())
        jupyterlab.start()
        try:
            yield Lab(home / "work")
        finally:
            jupyterlab.stop()
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    assert CHROMIUM, "no Chromium on this machine: apt-get install chromium fonts-dejavu-core"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def page(chromium: Browser, console: Console) -> Iterator[Page]:
    """A page of a fresh browser profile; the test asserts `console.errors == []` at its end."""
    context = chromium.new_context(viewport=SIZE, device_scale_factor=1)
    page = context.new_page()
    page.on("console", console.note)
    page.on("pageerror", lambda error: console.errors.append(str(error)))
    yield page
    context.close()


def shot(page: Page, name: str, at: Locator | None = None, *, only: Locator | None = None) -> None:
    """Keep a picture where COURSE_PICTURES says, e.g. for the README.

    Args:
        page: the browser's.
        name: the file's, without suffix.
        at: what stands in the middle.
        only: what alone is kept of the page.
    """
    folder = os.environ.get("COURSE_PICTURES")
    if not folder:
        return
    for _ in range(3):  # cells above it get their height only when they are drawn
        if at := at or only:
            at.evaluate("element => element.scrollIntoView({block: 'center'})")
        time.sleep(0.5)
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"{name}.png"
    (only or page).screenshot(path=path)
    with Image.open(path) as taken:  # a palette: a third of the size, and nothing to be seen of it
        taken.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def opened(page: Page, address: str, heading: str = "") -> Locator:
    """Open a notebook.

    Args:
        page: the browser's.
        address: of `jupyter.url(…)`.
        heading: what its title contains.

    Returns:
        The notebook's panel.
    """
    page.goto(address)
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator("h1").first).to_contain_text(heading, timeout=START_WAIT_MS)
    return notebook


def run_all(page: Page) -> None:
    """Run all cells as a learner does, once the kernel is there."""
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible(timeout=START_WAIT_MS)
    menu(page, "Run", "Run All Cells")


def menu(page: Page, *names: str) -> None:
    """Choose an entry of JupyterLab's menu, e.g. `menu(page, "Run", "Run All Cells")`."""
    bar, *entries = names
    page.get_by_role("menuitem", name=bar, exact=True).click()
    for name in entries:
        label = page.locator(".lm-Menu-itemLabel").filter(has_text=re.compile(f"^{name}$"))
        label.last.click()


def dark(page: Page) -> None:
    """Choose the dark theme."""
    menu(page, "Settings", "Theme", "JupyterLab Dark")
    expect(page.locator("body[data-jp-theme-light='false']")).to_be_attached()


def axe(page: Page, selector: str) -> list[str]:
    """What axe finds serious or critical in the course's own elements.

    Args:
        page: the browser's.
        selector: CSS, of what is looked at; at least one element must match.

    Returns:
        One line each: rule, impact, element.
    """
    assert page.locator(selector).count(), f"nothing matches {selector}"
    page.add_script_tag(path=packages.resolve(AXE, lambda what, share: None))
    found: dict[str, Any] = page.evaluate(
        "selector => axe.run({include: [[selector]]}, {resultTypes: ['violations']})", selector
    )
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
