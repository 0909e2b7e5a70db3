"""One real gateway, the stand-in for its model and one browser, for all tests of a module."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from gateway.cli.client import call_tool, request_local
from gateway.domain.ids import new_id
from gateway.local import LiveGateway
from gateway.standin import ModelRequest, Reply, Say, StandIn
from tests.browsers import browser
from tests.cli.gateways import Place, make_place
from tests.tools.conftest import write_server
from tests.tools.servers import server_code

TOOLS = {
    "send": {
        "type": "object",
        "properties": {"to": {"type": "string"}},
        "required": ["to"],
    }
}
BODY = 'return {"content": [{"type": "text", "text": "sent to " + arguments["to"]}]}'
SEND = "mcp__x__send"


@dataclass
class Stage:
    """A running gateway with one server `x`, its model, and the owner's browser."""

    place: Place
    live: LiveGateway
    api: StandIn
    context: BrowserContext

    async def call(self, tool: str, /, **arguments: object) -> Any:
        """Return what a management tool answers."""
        result = await anyio.to_thread.run_sync(call_tool, self.live, "/mcp", tool, arguments)
        assert not result.get("isError"), result
        return result["structuredContent"]

    async def start_run(self, prompt: str = "Please.", tool: str = SEND) -> str:
        """Start a run of a job of its own, with one tool."""
        job = await self.call(
            "create_job",
            name=new_id("job"),
            cron="0 0 1 1 *",
            prompt=prompt,
            tools=[tool],
            enabled=False,
        )
        return (await self.call("trigger_job", job_id=job["job"]["id"]))["run_id"]

    async def page(self, path: str) -> Page:
        """Open a page of the dashboard."""
        page = await self.context.new_page()
        await page.goto(f"{self.live.url}{path}")
        return page

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command to its end; return its status and what it wrote."""
        done = await anyio.to_thread.run_sync(partial(self.place.run, *arguments))
        return done.returncode, done.stdout, done.stderr

    async def log_in(self) -> None:
        """Open the owner's session in the browser."""
        path = await anyio.to_thread.run_sync(request_local, self.live, "POST", "dashboard/links")
        page = await self.page(path["path"])
        await page.get_by_role("button", name="Open the dashboard").click()
        await page.wait_for_url(f"{self.live.url}/")
        await page.close()


def says(text: str) -> Any:
    """Return a script of a model that says one text."""

    def script(_: ModelRequest) -> Reply:
        return Say(text)

    return script


@pytest.fixture(scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> AsyncIterator[Stage]:
    """A gateway whose runs need no key of anybody."""
    folder: Path = tmp_path_factory.mktemp("runs")
    place = make_place(folder)
    write_server(folder / "dynamic", "x", server_code(TOOLS, BODY))
    async with StandIn() as api, browser(chromium) as context:
        settings = {"ANTHROPIC_API_KEY": "sk-ant-of-this-test", "ANTHROPIC_BASE_URL": api.url}
        with place.gateway(SANDBOX="off", **settings) as live:
            stage = Stage(place, live, api, context)
            await stage.call("enable_mcp_server", name="x")
            await stage.log_in()
            yield stage
