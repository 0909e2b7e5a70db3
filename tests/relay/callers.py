"""Handshake-era callers made of raw HTTP: one session, its stream, and what arrives."""

import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2

from supervisor.spec import ServerSpec
from tests.relay.conftest import Relay, request
from tests.supervisor.conftest import GUARD_S, raw_spec

TALKING = Path(__file__).parent / "talking_server.py"
ALL = {"sampling": {}, "elicitation": {"form": {}}, "roots": {"listChanged": True}}
"""What the callers of most tests declare."""


def talking(name: str, *words: str, **changes: Any) -> ServerSpec:
    """Return the spec of a server that talks back."""
    command = (sys.executable, "-S", "-E", str(TALKING), *words)
    return raw_spec(name, *words, command=command, **changes)


@dataclass
class CallerOf:
    """One session with a server."""

    relay: Relay
    server: str
    headers: dict[str, str]

    async def post(self, message: object) -> httpx2.Response:
        """POST one message."""
        return await self.relay.post(self.server, message, self.headers)

    async def ask(self, method: str, params: object = None) -> dict[str, Any]:
        """Send a request and return the whole answer, which must be plain JSON."""
        return (await self.post(request(method, params))).json()

    async def call(self, tool: str, **arguments: object) -> Any:
        """Call a tool and return what it returned."""
        return value(await self.ask("tools/call", {"name": tool, "arguments": arguments}))

    async def told(self) -> list[dict[str, Any]]:
        """Return every message that the child was sent."""
        return await self.call("told")

    @asynccontextmanager
    async def calling(self, tool: str, **arguments: object) -> AsyncGenerator["Messages"]:
        """Call a tool and give what arrives on the call's own stream."""
        body = request("tools/call", {"name": tool, "arguments": arguments}, "own")
        accept = {"Accept": "application/json, text/event-stream"}
        url = f"/servers/{self.server}/mcp"
        sent = self.relay.http.stream("POST", url, json=body, headers={**self.headers, **accept})
        async with sent as response:
            yield Messages(response.aiter_lines())

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator["Messages"]:
        """Open the session's stream and give what arrives on it."""
        url = f"/servers/{self.server}/mcp"
        async with self.relay.http.stream("GET", url, headers=self.headers) as response:
            assert response.status_code == 200
            yield Messages(response.aiter_lines())

    async def end(self) -> None:
        """End the session."""
        await self.relay.http.delete(f"/servers/{self.server}/mcp", headers=self.headers)


@dataclass
class Messages:
    """The messages of one event stream, in order."""

    lines: AsyncIterator[str]

    async def next(self) -> dict[str, Any]:
        """Return the next message."""
        with anyio.fail_after(GUARD_S):
            async for line in self.lines:
                if line.startswith("data: "):
                    return json.loads(line[6:])
        raise AssertionError("the stream has ended")


async def session(
    relay: Relay, server: str, capabilities: object = None, token: str = "owner"
) -> CallerOf:
    """Open a session with what a client declares."""
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": ALL if capabilities is None else capabilities,
        "clientInfo": {"name": "somebody", "version": "7"},
    }
    bearer = {"Authorization": f"Bearer {token}"}
    answer = await relay.post(server, request("initialize", params), bearer)
    assert answer.status_code == 200, answer.text
    headers = {**bearer, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
    return CallerOf(relay, server, headers)


def value(answer: dict[str, Any]) -> Any:
    """Return what a tool of the talking server returned."""
    return json.loads(answer["result"]["content"][0]["text"])


def reply(asked: dict[str, Any], result: object) -> dict[str, Any]:
    """Return a client's response to what it was asked."""
    return {"jsonrpc": "2.0", "id": asked["id"], "result": result}
