"""Debian's Chromium: one for all tests of a worker; whoever asks gets an empty profile in it."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    async_playwright,
    expect,
)

from tests.toolchain import Toolchain
from tests.waiting import PATIENCE_S

# What a page comes to show, it may show late: Playwright itself waits for five seconds.
expect.set_options(timeout=PATIENCE_S * 1000)


@asynccontextmanager
async def launched(toolchain: Toolchain) -> AsyncGenerator[Browser]:
    """Run Chromium."""
    # The Node that Playwright brings needs a library that a bare Debian has not.
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(toolchain.node)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=toolchain.chromium,
            # A graphics processor in software takes the processor longer than no such thing.
            args=["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])],
        )
        async with chromium:
            yield chromium


@asynccontextmanager
async def browser(chromium: Browser, *, scripts: bool = True) -> AsyncGenerator[BrowserContext]:
    """Open an empty profile, as of a browser of its own."""
    async with await chromium.new_context(java_script_enabled=scripts) as context:
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
