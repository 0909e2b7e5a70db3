"""A real gateway with the shipped servers, one for the tests that drive them."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from gateway.local import LiveGateway
from gateway.variables import CHECKOUT
from sandboxes.policy import Level
from tests.cli.gateways import Place, make_place
from tests.e2e.conftest import client, wait_ready
from tests.sandboxes.conftest import open_to_all, skip_unless_available

SHIPPED = CHECKOUT / "fixed-servers"


@dataclass(frozen=True, slots=True)
class House:
    """A gateway as a checkout has it, at level strong."""

    place: Place
    live: LiveGateway

    def run(self, *words: str, given: str = "") -> str:
        """Run a command that must succeed; return what it prints."""
        done = self.place.run(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @asynccontextmanager
    async def client(self) -> AsyncGenerator["Caller"]:
        """Enter a client of `/mcp`."""
        async with client(self.live, "/mcp", "auto") as connected:
            yield Caller(connected)


@dataclass(frozen=True, slots=True)
class Caller:
    """A real client of the management endpoint."""

    client: Client[StreamableHttpTransport]

    async def call(self, tool: str, **payload: Any) -> Any:
        """Return what a tool of a server answers. Raises ToolError."""
        asked = {"tool": tool, "payload": payload}
        return (await self.client.call_tool("invoke_internal_mcp_tool", asked)).structured_content


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A gateway whose fixed servers are the shipped ones, none of them switched on."""
    skip_unless_available(Level.STRONG)
    folder = tmp_path_factory.mktemp("house")
    open_to_all(folder)
    place = make_place(folder)
    with place.gateway(FIXED_SERVERS_DIR=str(SHIPPED)) as live:
        wait_ready(live)
        yield House(place, live)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that every user may enter."""
    open_to_all(tmp_path)
    return tmp_path
