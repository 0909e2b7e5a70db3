"""A real gateway that a module shares, the owner's browser, and clients."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from gateway.cli.client import request_local
from gateway.local import LiveGateway
from tests.cli.gateways import Place, make_place
from tests.oauth.parts import Browser, Program
from tests.oauth.stage import Stage, open_stage


@dataclass(frozen=True)
class House:
    """A gateway and its home."""

    place: Place
    live: LiveGateway

    def log(self) -> str:
        """Return what the gateway logged."""
        return (self.place.folder / "gateway.log").read_text("utf-8")

    def made_client(self) -> dict[str, str]:
        """Return the two lines that the first start wrote down."""
        text = (self.place.home / "oauth-client.env").read_text("utf-8")
        return dict(line.split("=", 1) for line in text.splitlines())

    def link(self) -> str:
        """Return the path of a fresh one-time login."""
        return request_local(self.live, "POST", "dashboard/links")["path"]


def add_adder(place: Place) -> None:
    """Write the server `adder`."""
    folder = place.folder / "fixed" / "adder"
    folder.mkdir()
    code = "@mcp.tool\ndef add(a: int, b: int) -> int:\n    return a + b\n"
    (folder / "server.py").write_text(code, "utf-8")


@asynccontextmanager
async def owner_of(house: House) -> AsyncGenerator[Browser]:
    """Run a browser in which the owner is logged in."""
    async with httpx2.AsyncClient(timeout=20, trust_env=False) as client:
        browser = Browser(house.live.url, client)
        await browser.log_in(house.link())
        yield browser


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Generator[House]:
    """A running gateway with a server `adder`."""
    place = make_place(tmp_path_factory.mktemp("oauth"))
    add_adder(place)
    with place.gateway() as live:
        yield House(place, live)


@pytest.fixture
async def http() -> AsyncGenerator[httpx2.AsyncClient]:
    """A client without cookies of anybody's."""
    async with httpx2.AsyncClient(timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
async def browser(house: House) -> AsyncGenerator[Browser]:
    """The browser in which the owner is logged in."""
    async with owner_of(house) as browser:
        yield browser


@pytest.fixture
def program(house: House, http: httpx2.AsyncClient) -> Program:
    """A client that is not registered yet."""
    return Program(house.live.url, http)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    """The authorization server without a gateway around it."""
    async with open_stage(tmp_path) as opened:
        yield opened
