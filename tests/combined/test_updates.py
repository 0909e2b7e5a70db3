"""What callers of `/mcp/all` are told of single resources, and what they read of servers' logs."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from supervisor.spec import Instances
from tests.combined.conftest import URL, Combined, listing
from tests.relay.conftest import modern, request

UPDATED, MESSAGE = "notifications/resources/updated", "notifications/message"


class Messages:
    """What arrives on one stream, in order."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self) -> dict[str, Any]:
        """Return the next message."""
        async for line in self._lines:
            if line.startswith("data: "):
                return json.loads(line[6:])
        raise AssertionError("The stream ended.")


@asynccontextmanager
async def listening(
    combined: Combined, session: dict[str, str], token: str = "owner"
) -> AsyncGenerator[Messages]:
    """Open a session's stream."""
    headers = {**session, "Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with combined.http.stream("GET", URL, headers=headers) as response:
        assert response.status_code == 200
        yield Messages(response.aiter_lines())


async def update(combined: Combined, server: str, uri: str) -> None:
    """Have a server say that a resource was updated."""
    await combined.call(f"mcp__{server}__say", method=UPDATED, params={"uri": uri})


async def log(combined: Combined, server: str, level: str) -> None:
    """Have a server log."""
    params = {"level": level, "logger": server, "data": level}
    await combined.call(f"mcp__{server}__say", method=MESSAGE, params=params)


async def asked(combined: Combined, server: str) -> list[str]:
    """Return the methods of all requests that a server was sent."""
    return (await combined.call(f"mcp__{server}__one"))["asked"]


async def start_two(combined: Combined) -> None:
    """Start two servers that tell, each with a resource of its own."""
    for name, uri in (("alpha", "a://1"), ("beta", "b://1")):
        spec = listing(name, "tools=one,say", f"resources={uri}", "tells")
        await combined.stage.start(spec)


async def test_a_session_is_told_of_the_resources_that_it_follows(combined: Combined) -> None:
    """MCP 2025-11-25, server/resources: the one server is asked that the URI belongs to."""
    await start_two(combined)
    session = await combined.open_session()
    for uri, answer in (("a://1", {"result": {}}), ("c://1", None)):
        got = await combined.post(request("resources/subscribe", {"uri": uri}), session)
        assert got.json().get("result") == (answer or {}).get("result")
    assert "resources/subscribe" in await asked(combined, "alpha")
    assert "resources/subscribe" not in await asked(combined, "beta")
    async with listening(combined, session) as messages:
        await update(combined, "beta", "a://1")
        await update(combined, "alpha", "a://2")
        await update(combined, "alpha", "a://1/part")
        assert (await messages.next())["params"] == {"uri": "a://1/part"}
    gone = await combined.post(request("resources/unsubscribe", {"uri": "a://1"}), session)
    assert gone.json()["result"] == {}
    assert "resources/unsubscribe" in await asked(combined, "alpha")


async def test_a_modern_stream_follows_resources_of_several_servers(combined: Combined) -> None:
    """MCP 2026-07-28, basic/patterns/subscriptions: what cannot be followed is not acknowledged."""
    await start_two(combined)
    await combined.stage.start(listing("dumb", "tools=one", "resources=d://1"))
    wanted = {"resourceSubscriptions": ["a://1", "b://1", "d://1", "nobodys://1"]}
    message, headers = modern("subscriptions/listen", {"notifications": wanted}, "l1")
    headers["Authorization"] = "Bearer owner"
    async with combined.http.stream("POST", URL, json=message, headers=headers) as response:
        messages = Messages(response.aiter_lines())
        agreed = (await messages.next())["params"]["notifications"]
        assert agreed == {"resourceSubscriptions": ["a://1", "b://1"]}
        await update(combined, "alpha", "b://1")
        await update(combined, "beta", "b://1")
        told = await messages.next()
        assert (told["method"], told["params"]["uri"]) == (UPDATED, "b://1")
    await combined.stage.until(lambda: not combined.endpoint._updates._streams)


async def test_a_level_holds_for_every_server_that_the_caller_may_use(combined: Combined) -> None:
    """MCP 2025-11-25, server/utilities/logging; ours: a token reads no log of other servers."""
    await start_two(combined)
    await combined.stage.start(listing("hidden", "tools=one,say", "tells"))
    session = await combined.open_session(token="narrow")
    answer = await combined.post(
        request("logging/setLevel", {"level": "loud"}), session, token="narrow"
    )
    assert answer.json()["error"]["code"] == -32602
    answer = await combined.post(
        request("logging/setLevel", {"level": "error"}), session, token="narrow"
    )
    assert answer.json()["result"] == {}
    async with listening(combined, session, token="narrow") as messages:
        for server, level in (("hidden", "error"), ("alpha", "info"), ("beta", "critical")):
            await log(combined, server, level)
        assert (await messages.next())["params"]["logger"] == "beta"
    assert "logging/setLevel" not in await asked(combined, "hidden")


async def test_a_server_that_comes_later_logs_from_the_first_call_on(combined: Combined) -> None:
    """Ours: with a process of its own for the session, too."""
    session = await combined.open_session()
    await combined.post(request("logging/setLevel", {"level": "error"}), session)
    spec = listing("own", "tools=one,say", "tells", instances=Instances.PER_SESSION)
    await combined.stage.start(spec)
    arguments = {"method": MESSAGE, "params": {"level": "error", "data": "mine"}}
    async with listening(combined, session) as messages:
        call = {"name": "mcp__own__say", "arguments": arguments}
        assert "result" in (await combined.post(request("tools/call", call), session)).json()
        while (told := await messages.next())["method"] != MESSAGE:
            assert told["method"].endswith("list_changed")
        assert told["params"]["data"] == "mine"
