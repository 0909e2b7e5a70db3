"""A token sees and calls the tools that it was made for, in both eras of the protocol."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette

from gateway.auth.caller import CALLER, Caller, CallerKind
from gateway.domain.token import Scope
from gateway.tools.scopes import ADMIN_TOOLS, RUN_TOOLS
from tests.tools.conftest import Gateway
from tests.tools.test_every_tool import READING, TOOLS
from tests.waiting import PATIENCE_S

READ_TOOLS = {name for name in TOOLS if name.startswith(READING)} - RUN_TOOLS - ADMIN_TOOLS
MODERN = "2026-07-28"
ERAS = ["2025-11-25", MODERN]
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Endpoint:
    """The tools over HTTP, as the router serves them to a caller with these scopes."""

    def __init__(self, app: Starlette, era: str, scopes: tuple[Scope, ...]) -> None:
        self._app = app
        self._era = era
        self._caller = Caller(CallerKind.TOKEN, "token_x", frozenset(scopes)) if scopes else None

    async def request(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of one request."""
        headers = {
            "host": "localhost",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": self._era,
            "mcp-method": method,
            "mcp-name": str(params.get("name", "")),
        }
        if self._era == MODERN:
            params["_meta"] = META
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return json.loads(await self._post(headers, json.dumps(body).encode()))["result"]

    async def _post(self, headers: dict[str, str], body: bytes) -> bytes:
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/mcp",
            "raw_path": b"/mcp",
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), text.encode()) for name, text in headers.items() if text],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        if self._caller is not None:
            scope[CALLER] = self._caller
        answer = bytearray()
        ended = anyio.Event()
        pending: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            if not pending:
                await ended.wait()
                return {"type": "http.disconnect"}
            return pending.pop()

        async def send(message: Any) -> None:
            answer.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                ended.set()

        with anyio.fail_after(PATIENCE_S):
            await self._app(scope, receive, send)
        return bytes(answer)


@asynccontextmanager
async def connected(gateway: Gateway, era: str, *scopes: Scope) -> AsyncIterator[Endpoint]:
    """Serve the tools; without scopes, to a request whose caller nobody found."""
    app = gateway.mcp.http_app(path="/mcp", stateless_http=True, json_response=True)
    async with app.router.lifespan_context(app):
        yield Endpoint(app, era, scopes)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("scopes", "tools"),
    [
        ((Scope.READ,), READ_TOOLS),
        ((Scope.RUN,), RUN_TOOLS),
        ((Scope.READ, Scope.RUN), READ_TOOLS | RUN_TOOLS),
        ((Scope.ADMIN,), set(TOOLS)),
        ((), set()),
    ],
)
async def test_a_token_sees_the_tools_of_its_scopes(
    untouched: Gateway, era: str, scopes: tuple[Scope, ...], tools: set[str]
) -> None:
    """Ours: `admin` holds the others; a request without a caller sees nothing."""
    async with connected(untouched, era, *scopes) as endpoint:
        listed = await endpoint.request("tools/list")
    assert {tool["name"] for tool in listed["tools"]} == tools


@pytest.mark.parametrize("era", ERAS)
async def test_a_token_cannot_call_beyond_its_scopes(untouched: Gateway, era: str) -> None:
    """Ours: hiding is not refusing; both are done."""
    async with connected(untouched, era, Scope.READ) as endpoint:
        allowed = await endpoint.request("tools/call", name="list_jobs", arguments={})
        assert allowed["structuredContent"] == {"jobs": []}
        arguments = {"name": "x", "code": "print()"}
        refused = await endpoint.request(
            "tools/call", name="create_mcp_server", arguments=arguments
        )
    assert refused["isError"] is True
    assert refused["content"][0]["text"] == (
        "create_mcp_server needs a token with scope admin; yours has another."
    )
    assert untouched.services.servers.names() == ()
