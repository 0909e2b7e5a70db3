"""A forwarder in front of the stand-in, called as an ASGI application."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from gateway.budgets.prices import PriceList
from gateway.forwarder import Accounts, Forwarder, Upstream, upstream_client
from gateway.secret import Secret
from gateway.standin import StandIn

KEY = "sk-ant-the-real-one"
MODEL = "claude-sonnet-5-5"


@dataclass(frozen=True)
class Way:
    """The forwarder, what is behind it, and a client in front of it."""

    api: StandIn
    accounts: Accounts
    client: httpx2.AsyncClient

    async def ask(self, token: str, *, model: str = MODEL, stream: bool = False) -> httpx2.Response:
        """Send one request for a message."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
        return await self.client.post("/v1/messages", json=body, headers={"x-api-key": token})


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    """A way to the stand-in."""
    async with StandIn() as api:
        upstream = Upstream(Secret(KEY), api.url)
        accounts = Accounts(PriceList())
        async with upstream_client(upstream) as outside:
            transport = httpx2.ASGITransport(Forwarder(outside, upstream, accounts))  # pyright: ignore[reportArgumentType] - its own type of scope
            async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
                yield Way(api, accounts, client)
