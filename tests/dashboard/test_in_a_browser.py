"""The dashboard in Debian's Chromium: what the browser does with our page and our policy."""

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.dashboard.overview import HEALTH
from supervisor.events import ServerState
from tests.browsers import browser, complaints_of
from tests.dashboard.parts import SNAPSHOT, Shown

pytestmark = pytest.mark.timeout(120)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"
PHONE_WIDTH = 360


@asynccontextmanager
async def served(shown: Shown) -> AsyncGenerator[str]:
    """Serve the dashboard on loopback; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.graceful_timeout = 1.0
    ending = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(
            lambda: serve(shown.app, config, shutdown_trigger=ending.wait)  # pyright: ignore[reportArgumentType] - Quart is an ASGI application
        )
        yield url
        shown.live.close()
        ending.set()


async def open_page(context: BrowserContext, shown: Shown, url: str) -> Page:
    """Open the dashboard through a one-time link."""
    page = await context.new_page()
    await press_link(page, shown, url)
    return page


async def press_link(page: Page, shown: Shown, url: str) -> None:
    """Log in by a fresh one-time link."""
    await page.goto(f"{url}/login?key={shown.sessions.links.issue()}")
    await page.get_by_role("button", name="Open the dashboard").click()
    await page.wait_for_url(f"{url}/")


async def test_page_follows_its_servers_without_reloading(chromium: Browser) -> None:
    """Ours: live, hostile names are text, and neither console nor policy has a complaint."""
    shown = Shown(monotonic=anyio.current_time)
    async with served(shown) as url, browser(chromium) as context:
        page = await context.new_page()
        complaints = complaints_of(page)
        await press_link(page, shown, url)
        await expect(page.locator("#connection")).to_have_text("Live")
        await expect(page.get_by_role("link", name="email")).to_be_visible()

        shown.snapshots = (
            replace(SNAPSHOT, name=HOSTILE, state=ServerState.BACKOFF, reason="it died"),
        )
        shown.live.health_changed(*HEALTH)
        await expect(page.get_by_text("it died")).to_be_visible()
        assert await page.locator("tbody th a").first.inner_text() == HOSTILE
        assert complaints == []


async def test_page_fits_a_phone_and_both_colour_schemes(chromium: Browser) -> None:
    """Ours: nothing sticks out sideways, and dark is not light."""
    shown = Shown(monotonic=anyio.current_time)
    async with served(shown) as url, browser(chromium) as context:
        page = await open_page(context, shown, url)
        await page.set_viewport_size({"width": PHONE_WIDTH, "height": 720})
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE_WIDTH
        colours: list[str] = []
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            colours.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert colours == ["rgb(250, 249, 247)", "rgb(24, 23, 21)"]


async def test_page_says_when_the_gateway_is_gone(chromium: Browser) -> None:
    """Ours: old numbers are never taken for live ones."""
    shown = Shown(monotonic=anyio.current_time)
    async with browser(chromium) as context:
        async with served(shown) as url:
            page = await open_page(context, shown, url)
            await expect(page.locator("#connection")).to_have_text("Live")
        await expect(page.locator("#connection")).to_contain_text("Disconnected")


async def test_page_reads_without_javascript(chromium: Browser) -> None:
    """Ours: the tables are in the page, and it asks to be reloaded."""
    shown = Shown(monotonic=anyio.current_time)
    async with served(shown) as url, browser(chromium, scripts=False) as context:
        page = await open_page(context, shown, url)
        await expect(page.get_by_role("link", name="email")).to_be_visible()
        assert await page.locator("meta[http-equiv=refresh]").count() == 1
