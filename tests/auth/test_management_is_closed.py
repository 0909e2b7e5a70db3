"""Tokens of runs, and of clients that were given servers, never reach what manages the gateway."""

import json
from collections.abc import AsyncGenerator

import pytest

from gateway.auth.machine_tokens import make_wished_token
from gateway.domain.token import Scope, TokenWish
from gateway.main import Gateway
from tests.reach.asking import ask
from tests.reach.conftest import BASE, environment, open_gateway

HOST = ("host", BASE.removeprefix("http://"))
CREATE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "create_mcp_server", "arguments": {"name": "x", "code": "1"}},
    }
).encode()
JSON_RPC = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
    ("mcp-protocol-version", "2025-11-25"),
)


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    """A gateway that serves the old transport too."""
    environ = {**environment(tmp_path_factory.mktemp("closed")), "MCP_TRANSPORT": "both"}
    async with open_gateway(environ, BASE) as built:
        yield built


@pytest.fixture(scope="module", params=["run", "named"])
async def token(gateway: Gateway, request: pytest.FixtureRequest) -> str:
    """A token of a run, or of a client that was given servers."""
    if request.param == "run":
        runs = gateway.guard._run_tokens  # pyright: ignore[reportPrivateUsage]
        return runs.issue("run_1", tools=("mcp__*", "mcp__claude-runner__*"), ttl_s=600)
    wish = TokenWish("x", Scope.RUN, servers=("*",))
    store = gateway.guard._store  # pyright: ignore[reportPrivateUsage]
    return (await make_wished_token(store.tokens, wish)).value


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "path",
    ["/mcp", "/mcp/", "//mcp", "/sse", "/messages/", "/local/status", "/local/tokens"],
)
async def test_management_is_closed_to_them(
    gateway: Gateway, token: str, path: str, method: str
) -> None:
    """Issue 6, What 4; security E 13: whatever the path looks like, by every method."""
    headers = (HOST, ("authorization", f"Bearer {token}"), *JSON_RPC)
    answered = await ask(gateway.router, path, *headers, method=method, body=CREATE)
    assert answered.status == 403


async def test_no_management_tool_is_among_all_servers_tools(gateway: Gateway, token: str) -> None:
    """Issue 6, What 4: `/mcp/all` has servers alone, and calls nothing else by any name."""
    headers = (HOST, ("authorization", f"Bearer {token}"), *JSON_RPC)
    opened = await ask(
        gateway.router,
        "/mcp/all",
        *headers,
        method="POST",
        body=json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 0,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {},
                    "clientInfo": {"name": "t", "version": "1"},
                },
            }
        ).encode(),
    )
    session = ("mcp-session-id", opened.headers["mcp-session-id"])
    called = await ask(gateway.router, "/mcp/all", *headers, session, method="POST", body=CREATE)
    assert b"create_mcp_server" in called.body
    assert json.loads(called.body)["error"]["code"] == -32602
