"""The pages over real servers, in one process, and one browser for all tests of a module."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.audit.requests import audit_requests
from gateway.dashboard.live import Live
from gateway.domain.audit import Actor, AuditEntry
from gateway.server_pages import open_server_pages
from tests.browsers import browser, complaints_of
from tests.dashboard.parts import Shown
from tests.dashboard.test_in_a_browser import press_link, served
from tests.dashboard.test_untrusted_text import PLANTED, canary
from tests.tools.conftest import Gateway, open_gateway, write_server
from tests.tools.servers import server_code

OWNER = (Actor.OWNER, "abcd1234")
PNG = "iVBORw0KGgo="
TOOLS = {
    "send": {
        "type": "object",
        "properties": {
            "to": {"type": "string", "maxLength": 80, "description": canary("schema")},
            "copies": {"type": "integer", "minimum": 1},
            "urgent": {"type": "boolean"},
            "mood": {"enum": ["glad", "sad"]},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["to"],
        "additionalProperties": False,
    },
    "free": {"type": "object", "additionalProperties": {"type": "string"}},
}
BODY = f"""
global CALLS
CALLS += 1
print({canary("log")!r}, file=sys.stderr, flush=True)
content = [
    {{"type": "text", "text": {canary("result")!r}}},
    {{"type": "text", "text": f"call {{CALLS}}: {{json.dumps(arguments)}}"}},
    {{"type": "image", "mimeType": "image/png", "data": {PNG!r}}},
    {{"type": "image", "mimeType": "image/svg+xml", "data": "PHN2Zz4="}},
]
return {{"content": content, "structuredContent": {{"of": {canary("structured")!r}}}}}
"""
DESCRIPTION = repr(json.dumps(canary("description")))[2:-2]
"""As it stands in the code."""
CODE = server_code(TOOLS, BODY, before="CALLS = 0").replace("Does free.", DESCRIPTION)


@dataclass
class Stage:
    """Real servers, the pages over them, and the owner's browser."""

    gateway: Gateway
    shown: Shown
    url: str
    page: Page
    complaints: list[str]

    async def open(self, path: str) -> Page:
        """Open a page, on which nothing of other people's is an element."""
        await self.page.goto(f"{self.url}{path}")
        assert await self.page.locator(PLANTED).count() == 0
        return self.page

    async def entries(self) -> tuple[AuditEntry, ...]:
        """Return the audit log, newest first."""
        kept = await self.gateway.services.audit_log.find({})
        return tuple(each.entry for each in kept)


async def press(page: Page, word: str) -> None:
    """Press a button and wait for the page it leads to."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=word, exact=True).first.click()


@pytest.fixture(scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> AsyncIterator[Stage]:
    """One gateway with server `x`, one browser that is logged in."""
    folder: Path = tmp_path_factory.mktemp("server-pages")
    write_server(folder / "dynamic", "x", CODE, description=canary("server"))
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(open_gateway(folder))
        services = gateway.services
        await services.supervisor.wait_settled("x", 30)
        live = Live(anyio.current_time)
        shown = Shown(
            followed=live,
            monotonic=anyio.current_time,
            snapshots=services.supervisor.snapshots(),
            further=lambda owner: (open_server_pages(services, owner, live),),
        )
        audit_requests(shown.app, services.trail, lambda: OWNER)
        url = await stack.enter_async_context(served(shown))
        context: BrowserContext = await stack.enter_async_context(browser(chromium))
        page = await context.new_page()
        complaints = complaints_of(page)
        await press_link(page, shown, url)
        yield Stage(gateway, shown, url, page, complaints)
        await page.close()


__all__ = ["Stage", "expect", "press"]
