"""The live views in JupyterLab: they draw, they act, they can be read, and they leave a still."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from course.core import paths
from course.measure.rollout import Rollout
from tests import shop as shops
from tests.browser.conftest import Console, Lab, axe, dark, opened, run_all, shot

WAIT_MS = 120_000

PLAYED = f"""
import sys; sys.path.insert(0, {str(paths.ROOT)!r})
from course.views.widgets import RolloutTimeline, StrategyControl, TrafficView
from tests.feeds import PlayedRollout, PlayedRun, stalled, update
"""


@pytest.fixture(autouse=True)
def patient(page: Page) -> None:
    page.set_default_timeout(WAIT_MS)


@pytest.fixture(scope="module")
def played(jupyter: Lab) -> str:
    """A notebook with views of feeds that play a script."""
    return jupyter.notebook(
        "played",
        PLAYED,
        "TrafficView(PlayedRun(seconds=600), title='Traffic to shop',"
        " weights=lambda: ({'1.0.0': 50, '1.1.0': 50}, {'1.0.0': 50, '1.1.0': 50}))",
        "feed = PlayedRollout(update(16), length=600)\nRolloutTimeline(feed)",
        "StrategyControl(feed, {'start': print, 'pause': lambda: 'deployment.apps/shop paused',"
        " 'resume': print, 'undo': lambda: {}['shop']}, labels={'start': 'Start 1.1.0'})",
    )


def test_the_views_in_both_themes_can_be_read(played: str, page: Page, console: Console) -> None:
    book = opened(page, played, "played")
    run_all(page)
    views = book.locator(".course-view")
    expect(views).to_have_count(3, timeout=WAIT_MS)
    names = ("traffic", "timeline", "strategy")
    expect(views.nth(0).locator("tbody")).to_contain_text("timeout", timeout=WAIT_MS)
    views.nth(2).get_by_role("button", name="Pause").click()
    expect(views.nth(2).locator("tbody")).to_contain_text("deployment.apps/shop paused")
    views.nth(2).get_by_role("button", name="Undo").click()
    expect(views.nth(2).get_by_role("alert")).to_contain_text("undo failed: KeyError: 'shop'")
    for theme in ("light", "dark"):
        if theme == "dark":
            dark(page)
        for name, view in zip(names, views.all(), strict=True):
            shot(page, f"widget-{name}-{theme}", only=view)
        assert axe(page, ".course-view") == []
    # After their end all three leave what a saved notebook keeps.
    for view in reversed(views.all()[:2]):  # from below: those above keep their places
        view.get_by_role("button", name="Stop").click()
    expect(views).to_have_count(0, timeout=WAIT_MS)
    stills = book.locator(".course-picture")
    expect(stills).to_have_count(2)
    assert "46 failed" in (stills.first.locator("img").get_attribute("alt") or "")
    for name, still in zip(names, stills.all(), strict=False):
        shot(page, f"widget-{name}-still", only=still)
    expect(book.locator(".course-facts")).to_contain_text("undo failed: KeyError: 'shop'")
    assert console.errors == []


def test_a_page_that_is_loaded_again_shows_the_whole_run(
    jupyter: Lab, page: Page, console: Console
) -> None:
    cells = (PLAYED, "view = TrafficView(PlayedRun(seconds=600))\nview")
    book = opened(page, jupyter.notebook("again", *cells), "again")
    run_all(page)
    view = book.locator(".course-view")
    expect(view).to_have_attribute("data-total", re.compile(r"\d{4}"), timeout=WAIT_MS)
    assert view.get_attribute("data-missed") == "0"
    page.keyboard.press("Control+s")
    saved = jupyter.work / "again.ipynb"
    for _ in range(WAIT_MS // 500):
        if "widget-view+json" in saved.read_text():
            break
        page.wait_for_timeout(500)
    page.reload()
    view = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .course-view")
    # Columns of what it has not seen itself: they come with the first frame.
    expect(view).to_have_attribute("data-total", re.compile(r"\d{4}"), timeout=WAIT_MS)
    expect(view).to_have_attribute("data-missed", "0", timeout=WAIT_MS)
    view.get_by_role("button", name="Stop").click()
    expect(view).to_have_attribute("data-ended", "true", timeout=WAIT_MS)
    expect(view).to_be_focused()  # the button is gone
    assert console.errors == []


def test_a_button_pressed_while_a_cell_runs_waits_and_says_so(
    jupyter: Lab, page: Page, console: Console
) -> None:
    script = "PlayedRollout(update(0.1), length=600)"
    control = f"StrategyControl({script}, {{'start': lambda: 'it was done'}})"
    cells = (PLAYED, control, "input('busy')")
    book = opened(page, jupyter.notebook("busy", *cells), "busy")
    run_all(page)
    view = book.locator(".course-view")
    start = view.get_by_role("button", name="Start")
    expect(start).to_have_attribute("aria-disabled", "false", timeout=WAIT_MS)
    prompt = book.locator(".jp-Stdin-input")
    expect(prompt).to_be_visible(timeout=WAIT_MS)
    start.click()
    expect(view).to_contain_text("The kernel is busy with a cell", timeout=WAIT_MS)
    prompt.press("Enter")
    expect(view.locator("tbody")).to_contain_text("it was done", timeout=WAIT_MS)
    expect(view).not_to_contain_text("The kernel is busy")
    assert console.errors == []


# -- on the cluster


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shops.images() as repository, shops.namespace(tmp_path_factory.mktemp("kube")):
        yield repository


@pytest.fixture
def shop(image: str) -> Iterator[Rollout]:
    with shops.deployed(image, replicas=3, drain_ms=2000) as made:
        yield made


def test_buttons_act_on_the_cluster_while_the_views_move(
    shop: Rollout, image: str, jupyter: Lab, page: Page, console: Console
) -> None:
    address = shops.route(f"shop-{os.getpid()}.localhost")
    cells = (
        f"import os; os.environ['KUBECONFIG'] = {os.environ['KUBECONFIG']!r}\n"
        "from course.measure import Rollout, traffic\n"
        "from course.views import RolloutTimeline, StrategyControl, TrafficView\n"
        "shop = Rollout('shop')\n"
        "feed = shop.watch(maximum=400)\n"
        f"run = traffic.start({address!r}, rate=50, seconds=400)",
        "TrafficView(run)",
        "RolloutTimeline(feed)",
        f"new = lambda: shop.set_image('shop={image}:1.1.0')\n"
        "StrategyControl(feed, {'start': new, 'pause': shop.pause, 'resume': shop.resume,"
        " 'undo': shop.undo}, labels={'start': 'Start 1.1.0'})",
    )
    book = opened(page, jupyter.notebook("cluster", *cells), "cluster")
    run_all(page)
    traffic_view, timeline, control = (book.locator(".course-view").nth(i) for i in range(3))
    expect(traffic_view).to_have_attribute("data-total", re.compile(r"\d{3}"), timeout=WAIT_MS)

    def button(name: str) -> Locator:
        return control.get_by_role("button", name=name)

    expect(button("Pause")).to_have_attribute("aria-disabled", "true", timeout=WAIT_MS)
    expect(button("Pause")).to_have_accessible_description("no rollout is under way")
    button("Pause").click(force=True)  # it does nothing and says why
    before = {view: view.screenshot() for view in (traffic_view, timeline)}
    button("Start 1.1.0").focus()
    page.keyboard.press("Enter")
    expect(button("Pause")).to_have_attribute("aria-disabled", "false", timeout=WAIT_MS)
    assert "1.1.0" in shops.kubectl("get", "deployment", "shop", "-o", "jsonpath={..image}")
    button("Pause").click()
    expect(button("Resume")).to_have_attribute("aria-disabled", "false", timeout=WAIT_MS)
    assert shop.status().state == "paused"
    expect(timeline.locator("svg")).to_contain_text("paused", timeout=WAIT_MS)
    button("Resume").click()
    expect(control).to_contain_text("complete: 3 of 3", timeout=WAIT_MS)
    assert shop.status().version == "1.1.0"
    expect(traffic_view.locator("tbody")).to_contain_text("1.1.0", timeout=WAIT_MS)
    for view, picture in before.items():
        assert view.screenshot() != picture
    button("Undo").click()
    expect(timeline.locator("svg")).to_contain_text("revision 3: 1.0.0", timeout=WAIT_MS)
    assert shop.status().version == "1.0.0"
    assert traffic_view.get_attribute("data-missed") == "0"
    assert axe(page, ".course-view") == []
    for view, name in ((traffic_view, "traffic"), (timeline, "timeline"), (control, "strategy")):
        shot(page, f"cluster-{name}", only=view)
    for view in (traffic_view, timeline):
        view.get_by_role("button", name="Stop").click()
    expect(book.locator(".course-picture")).to_have_count(2, timeout=WAIT_MS)
    assert console.errors == []
