"""`/mcp/all` behind a real HTTP server, in front of real children with lists of their own."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from hypercorn.asyncio import serve
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from gateway.auth.caller import Caller, CallerKind
from gateway.combined.endpoint import CombinedEndpoint
from gateway.domain.token import Scope
from gateway.domain.view import View
from gateway.listening import listen, url_of
from gateway.relay.http import Headers, Receive, Send
from gateway.relay.http import Scope as AsgiScope
from supervisor.spec import ServerKind, ServerSpec
from tests.relay.conftest import ACCEPT, modern, request
from tests.supervisor.conftest import GUARD_S, Stage, open_stage

LISTING_SERVER = Path(__file__).parent / "listing_server.py"
URL = "/mcp/all"
VIEWS = {
    "narrow": View(frozenset({"mcp__alpha__one", "mcp__beta__*"})),
    "renamed": View(
        frozenset({"mcp__alpha__*", "mcp__beta__one"}),
        (("mcp__alpha__one", "first"), ("mcp__beta__one", "mcp__alpha__two")),
    ),
}
"""What a token of this name shows; others show everything."""


@dataclass
class Combined:
    """The served endpoint and a client of it."""

    stage: Stage
    endpoint: CombinedEndpoint
    http: httpx2.AsyncClient
    url: str

    async def post(
        self, message: object, headers: Mapping[str, str] | None = None, token: str = "owner"
    ) -> httpx2.Response:
        """POST one body."""
        sent = {**ACCEPT, "Authorization": f"Bearer {token}", **(headers or {})}
        return await self.http.post(URL, content=json.dumps(message).encode(), headers=sent)

    async def ask(self, method: str, token: str = "owner", **params: Any) -> dict[str, Any]:
        """Return the whole answer to one modern request."""
        message, headers = modern(method, params)
        return (await self.post(message, headers, token)).json()

    async def keys(self, method: str, member: str, key: str, token: str = "owner") -> list[str]:
        """Return the keys of a whole list, page by page."""
        found: list[str] = []
        params: dict[str, Any] = {}
        while True:
            result = (await self.ask(method, token, **params))["result"]
            found += [item[key] for item in result[member]]
            if "nextCursor" not in result:
                return found
            params = {"cursor": result["nextCursor"]}

    async def tools(self, token: str = "owner") -> list[str]:
        """Return the names of the servers' tools that are listed."""
        names = await self.keys("tools/list", "tools", "name", token)
        return [name for name in names if name not in ("search_tools", "describe_tool")]

    async def call(self, tool: str, token: str = "owner", **arguments: Any) -> dict[str, Any]:
        """Return what a tool of the listing server told."""
        answer = await self.ask("tools/call", token, name=tool, arguments=arguments)
        return json.loads(answer["result"]["content"][0]["text"])

    async def open_session(self, token: str = "owner") -> dict[str, str]:
        """Initialise in the handshake era and return the headers of the session."""
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
        answer = await self.post(request("initialize", params), token=token)
        assert answer.status_code == 200, answer.text
        return {"Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}


def listing(name: str, *options: str, **changes: Any) -> ServerSpec:
    """Return the spec of a server with these lists."""
    return ServerSpec(
        name=name,
        kind=ServerKind.DYNAMIC,
        code_dir=LISTING_SERVER.parent,
        digest=" ".join((name, *options)),
        command=(sys.executable, "-S", "-E", str(LISTING_SERVER), *options),
        start_timeout_s=GUARD_S,
        dynamic_tools=True,
        **changes,
    )


@asynccontextmanager
async def serve_combined(stage: Stage, *, search_first: int = 0) -> AsyncGenerator[Combined]:
    """Serve the endpoint; the bearer token names the caller and its view."""
    endpoint = CombinedEndpoint(stage.supervisor, search_first=search_first)
    stage.listeners.append(endpoint.hear)

    async def app(scope: AsgiScope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        name = (Headers(scope).get(b"authorization") or "Bearer owner").removeprefix("Bearer ")
        caller = Caller(CallerKind.TOKEN, name, frozenset(Scope), VIEWS.get(name))
        await endpoint.handle(scope, receive, send, caller=caller)

    stop = asyncio.Event()
    with listen("127.0.0.1", 0) as sock:
        url = url_of(sock)
        config = Config()
        config.bind = [f"fd://{sock.detach()}"]
        config.errorlog = None
        config.graceful_timeout = 0.1
        served = asyncio.ensure_future(
            serve(cast(ASGIFramework, app), config, shutdown_trigger=stop.wait)
        )
        async with httpx2.AsyncClient(base_url=url, timeout=20, trust_env=False) as client:
            yield Combined(stage, endpoint, client, url + URL)
        endpoint.close()
        stop.set()
        await served


@pytest.fixture
async def combined(tmp_path: Path) -> AsyncGenerator[Combined]:
    """The endpoint over a supervisor without servers."""
    async with open_stage(tmp_path) as stage, serve_combined(stage) as served:
        yield served
