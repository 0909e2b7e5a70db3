"""Every page in Debian's Chromium: light and dark, desktop and phone, for people of all kinds."""

import re
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.dashboard.navigation import NAVIGATION
from gateway.dashboard.tool_actions import PAGE_ACTIONS, Action
from tests.browsers import browser, complaints_of
from tests.dashboard.pages import (
    MADE,
    NO_PAGES,
    NOT_LIVE,
    OPENED_ELSEWHERE,
    PAGES,
    Seen,
    prepare_actions,
    serve_gateway,
)
from tests.dashboard.walking import walk
from tests.demonstrations import Demonstrations
from tests.toolchain import CHECKOUT, Toolchain

pytestmark = pytest.mark.timeout(300)

SCREENSHOTS = CHECKOUT / ".cache" / "screenshots"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
LOOKS = (("light", DESKTOP), ("dark", PHONE), ("dark", DESKTOP), ("light", PHONE))
"""Pages take turns with the first two; the full suite shows each page in all four."""
SERIOUS = ("serious", "critical")
FIND = """async (rules) => {
  const found = await axe.run(document, { preload: false, resultTypes: ["violations"], ...rules });
  return found.violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].html.slice(0, 200)]);
}"""
FOLLOWING = "[data-live], script[src$='/log.js'], script[src$='/run.js']"
"""What makes a page say "Live", or that it is disconnected."""
EDITORS_FRAME = 'class="cm-scroller"'
"""What scrolls in the editor of code takes no focus itself: the text in it does, and scrolls it."""
EVERYTHING = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
CONTRAST = {"runOnly": ["color-contrast"]}


@pytest.fixture(scope="module")
async def seen(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Seen]:
    """One gateway for all."""
    async with serve_gateway(tmp_path_factory.mktemp("pages")) as served:
        yield served


@pytest.fixture(scope="module")
async def page(seen: Seen, chromium: Browser) -> AsyncGenerator[Page]:
    """One tab for all, in which the owner is logged in."""
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(browser(chromium))
        tab = await context.new_page()
        await tab.goto(f"{seen.url}/login?key={seen.gateway.sessions.links.issue()}")
        await tab.get_by_role("button", name="Open the dashboard").click()
        await tab.wait_for_url(f"{seen.url}/")
        yield tab


async def test_the_list_has_every_page(seen: Seen) -> None:
    """Issue 8, Shows: every page; whoever adds one adds it here."""
    rules = {
        str(rule.rule)
        for rule in seen.gateway.dashboard.app.url_map.iter_rules()
        if "GET" in (rule.methods or ())
    }
    assert rules == {*PAGES, *MADE, *OPENED_ELSEWHERE, *NO_PAGES}
    assert seen.pages.keys() == {*PAGES, *MADE}
    linked = {entry.path for group in NAVIGATION for entry in group.entries}
    assert linked <= PAGES.keys()


async def test_every_page_is_for_everybody(
    seen: Seen, page: Page, toolchain: Toolchain, demonstrations: Demonstrations
) -> None:
    """Issue 8, Shows: nothing serious by axe-core, no complaint, no page that is wide."""
    axe = toolchain.axe.read_text("utf-8")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    complaints = complaints_of(page)
    wrong: list[Any] = []
    for turn, (rule, path) in enumerate(seen.pages.items()):
        looks = LOOKS if demonstrations.full else (LOOKS[turn % 2],)
        answer = await page.goto(f"{seen.url}{path}")
        assert answer is not None
        wrong += [(path, answer.status)] if answer.status != 200 else []
        is_live = await page.locator(FOLLOWING).count() > 0
        wrong += [(path, "is live", is_live)] if is_live is (rule in NOT_LIVE) else []
        await page.evaluate(axe)
        for number, (scheme, size) in enumerate(looks):
            await page.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType] - light or dark
            await page.set_viewport_size(size)  # pyright: ignore[reportArgumentType] - width and height
            found = await page.evaluate(FIND, CONTRAST if number else EVERYTHING)
            wrong += [(path, scheme, *each) for each in found if _is_serious(*each)]
            width = await page.evaluate("document.documentElement.scrollWidth")
            wrong += [(path, "is wide", width)] if width > size["width"] else []
            if demonstrations.full:
                await page.screenshot(path=SCREENSHOTS / _name(rule, scheme, size["width"]))
        wrong += [(path, each) for each in complaints]
        complaints.clear()
    assert wrong == []


async def test_the_keyboard_reaches_the_content_first(seen: Seen, page: Page) -> None:
    """WCAG 2.4.1: the first stop leads past the navigation; a phone's menu opens by a key."""
    await page.set_viewport_size(DESKTOP)  # pyright: ignore[reportArgumentType] - width and height
    await page.goto(f"{seen.url}/access")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.set_viewport_size(PHONE)  # pyright: ignore[reportArgumentType] - width and height
    await page.reload()
    menu = page.locator("summary", has_text="Menu")
    await expect(page.get_by_role("link", name="Audit log")).to_be_hidden()
    await menu.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Audit log")).to_be_visible()


async def test_the_next_times_follow_a_schedule_as_it_is_typed(seen: Seen, page: Page) -> None:
    """Issue 8, 1: in the job's zone, before anything is stored."""
    await page.goto(f"{seen.url}/jobs/new")
    times = page.get_by_role("group", name="Next times")
    await page.get_by_label("Time zone").fill("Europe/Berlin")
    await page.get_by_label("Cron expression").press_sequentially("0 9 1 1 *")
    await expect(times.get_by_role("listitem")).to_have_count(5)
    await expect(times).to_contain_text("-01-01 09:00:00+01:00")
    await page.get_by_label("Cron expression").fill("nonsense")
    await expect(times.locator(".error")).to_be_visible()


async def test_a_page_leads_to_what_each_management_tool_does(seen: Seen, page: Page) -> None:
    """Issue 8, Shows: every tool's route is there, and a link or a form of a page leads to it."""
    app = seen.gateway.dashboard.app
    routes = {
        Action(method, str(rule.rule))
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    assert set(PAGE_ACTIONS.values()) <= routes
    client = page.context.request
    begin = ["/", await prepare_actions(seen, client)]
    found = await walk(client, seen.url, app, begin, NO_PAGES)
    assert found.broken == {}
    missing = {tool for tool, action in PAGE_ACTIONS.items() if action not in found.actions}
    assert missing == set()


def _is_serious(rule: str, impact: str, html: str) -> bool:
    is_editor = rule == "scrollable-region-focusable" and EDITORS_FRAME in html
    return impact in SERIOUS and not is_editor


def _name(rule: str, scheme: str, width: int) -> Path:
    words = re.sub(r"\W+", "-", rule).strip("-") or "overview"
    return Path(f"{words}-{scheme}-{width}.png")
