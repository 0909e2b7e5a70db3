"""The dashboard in Debian's Chromium: what the browser does with our page and our policy."""

import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from playwright.async_api import BrowserContext, ConsoleMessage, Page, async_playwright, expect

from gateway.dashboard.overview import HEALTH
from supervisor.events import ServerState
from tests.dashboard.parts import SNAPSHOT, Shown
from tests.toolchain import Toolchain

pytestmark = pytest.mark.timeout(120)

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"
CHANGE_MS = 5000
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


@asynccontextmanager
async def browser(toolchain: Toolchain, *, scripts: bool = True) -> AsyncGenerator[BrowserContext]:
    """Start Chromium with an empty profile."""
    # The Node that Playwright brings needs a library that a bare Debian has not.
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(toolchain.node)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=toolchain.chromium,
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        async with chromium, await chromium.new_context(java_script_enabled=scripts) as context:
            yield context


def complaints_of(page: Page) -> list[str]:
    """Return a list that fills with what the console and the page complain about."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("dialog", lambda dialog: found.append(f"dialog: {dialog.message}"))
    return found


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


async def test_page_follows_its_servers_without_reloading(toolchain: Toolchain) -> None:
    """Ours: live, hostile names are text, and neither console nor policy has a complaint."""
    shown = Shown(monotonic=anyio.current_time)
    async with served(shown) as url, browser(toolchain) as context:
        page = await context.new_page()
        complaints = complaints_of(page)
        await press_link(page, shown, url)
        await expect(page.locator("#connection")).to_have_text("Live", timeout=CHANGE_MS)
        await expect(page.get_by_role("link", name="email")).to_be_visible()

        shown.snapshots = (
            replace(SNAPSHOT, name=HOSTILE, state=ServerState.BACKOFF, reason="it died"),
        )
        shown.live.health_changed(*HEALTH)
        await expect(page.get_by_text("it died")).to_be_visible(timeout=CHANGE_MS)
        assert await page.locator("tbody th a").first.inner_text() == HOSTILE
        assert complaints == []


async def test_page_fits_a_phone_and_both_colour_schemes(toolchain: Toolchain) -> None:
    """Ours: nothing sticks out sideways, and dark is not light."""
    shown = Shown(monotonic=anyio.current_time)
    async with served(shown) as url, browser(toolchain) as context:
        page = await open_page(context, shown, url)
        await page.set_viewport_size({"width": PHONE_WIDTH, "height": 720})
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE_WIDTH
        colours: list[str] = []
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            colours.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert colours == ["rgb(250, 249, 247)", "rgb(24, 23, 21)"]


async def test_page_says_when_the_gateway_is_gone(toolchain: Toolchain) -> None:
    """Ours: old numbers are never taken for live ones."""
    shown = Shown(monotonic=anyio.current_time)
    async with browser(toolchain) as context:
        async with served(shown) as url:
            page = await open_page(context, shown, url)
            await expect(page.locator("#connection")).to_have_text("Live", timeout=CHANGE_MS)
        await expect(page.locator("#connection")).to_contain_text("Disconnected", timeout=CHANGE_MS)


async def test_page_reads_without_javascript(toolchain: Toolchain) -> None:
    """Ours: the tables are in the page, and it asks to be reloaded."""
    shown = Shown(monotonic=anyio.current_time)
    async with served(shown) as url, browser(toolchain, scripts=False) as context:
        page = await open_page(context, shown, url)
        await expect(page.get_by_role("link", name="email")).to_be_visible()
        assert await page.locator("meta[http-equiv=refresh]").count() == 1
