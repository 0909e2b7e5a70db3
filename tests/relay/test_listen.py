"""`subscriptions/listen`: modern callers are told what changed, whatever the child speaks."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp.client.subscriptions import listen

from gateway.relay.listeners import MAX_PER_CALLER
from tests.relay.conftest import Relay, modern
from tests.supervisor.conftest import GUARD_S, raw_spec
from tests.waiting import until_seen

ERAS = pytest.mark.parametrize("behaviours", [(), ("modern",)], ids=["handshake", "modern"])
ALL = {"toolsListChanged": True, "promptsListChanged": True, "resourcesListChanged": True}
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


@asynccontextmanager
async def listening(
    relay: Relay, wanted: dict[str, Any], request_id: object = "mine", **headers: str
) -> AsyncGenerator[AsyncIterator[dict[str, Any]]]:
    """Open a stream and give its messages."""
    body, own = modern("subscriptions/listen", {"notifications": wanted}, request_id)
    url = "/servers/raw/mcp"
    with anyio.fail_after(GUARD_S):
        async with relay.http.stream("POST", url, json=body, headers={**own, **headers}) as answer:
            yield _messages(answer.aiter_lines())


async def _messages(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    async for line in lines:
        if line.startswith("data: "):
            yield json.loads(line[6:])


async def tell(relay: Relay, method: str, **params: object) -> None:
    """Have the child tell of a change."""
    call = {"name": "notify", "arguments": {"method": f"notifications/{method}", **params}}
    assert (await relay.post("raw", *modern("tools/call", call))).status_code == 200


def frame(method: str, request_id: object = "mine", **params: object) -> dict[str, Any]:
    """Return a notification as it comes on a stream."""
    marked = {**params, "_meta": {SUBSCRIPTION: request_id}}
    return {"jsonrpc": "2.0", "method": f"notifications/{method}", "params": marked}


@ERAS
async def test_a_stream_begins_with_what_it_tells_of_and_then_tells_it(
    relay: Relay, behaviours: tuple[str, ...]
) -> None:
    """MCP 2026-07-28: acknowledged first, every frame marked with the caller's own id."""
    await relay.stage.start(raw_spec("raw", "tells", *behaviours))
    request_id = 7 if behaviours else "7"
    marked = partial(frame, request_id=request_id)
    wanted = {**ALL, "resourceSubscriptions": ["test://a"], "taskIds": ["t"]}
    async with listening(relay, wanted, request_id) as messages:
        # Prompts are no capability of this server.
        agreed = {
            key: value
            for key, value in wanted.items()
            if key not in ("promptsListChanged", "taskIds")
        }
        first = await anext(messages)
        assert first == marked("subscriptions/acknowledged", notifications=agreed)
        await tell(relay, "resources/updated", uri="test://a")
        assert await anext(messages) == marked("resources/updated", uri="test://a")
        await tell(relay, "tools/list_changed")
        assert await anext(messages) == marked("tools/list_changed")


@ERAS
async def test_a_stream_tells_nothing_that_was_not_asked_for(
    relay: Relay, behaviours: tuple[str, ...]
) -> None:
    """MCP 2026-07-28: each kind is asked for."""
    await relay.stage.start(raw_spec("raw", "tells", *behaviours))
    async with listening(relay, {"resourcesListChanged": True}) as messages:
        await anext(messages)
        await tell(relay, "tools/list_changed")
        await tell(relay, "resources/updated", uri="test://a")
        await tell(relay, "resources/list_changed")
        assert await anext(messages) == frame("resources/list_changed")


@ERAS
async def test_a_resource_is_followed_once_for_all_and_anew_by_new_code(
    relay: Relay, behaviours: tuple[str, ...]
) -> None:
    """Research A.4: counted by URI, the first and the last are passed on."""
    supervisor = relay.stage.supervisor
    await relay.stage.start(raw_spec("raw", "tells", *behaviours))

    async def followed() -> list[str]:
        return json.loads(await relay.stage.call("raw", "followed"))

    async def is_followed() -> bool:
        return await followed() == ["test://a"]

    async def is_left() -> bool:
        return not await followed()

    wanted = {"resourceSubscriptions": ["test://a"]}
    async with listening(relay, wanted) as one:
        await anext(one)
        async with listening(relay, wanted) as other:
            await anext(other)
            assert await followed() == ["test://a"]
        assert await followed() == ["test://a"]
        await supervisor.apply(raw_spec("raw", "tells", "version=2", *behaviours), enabled=True)
        await until_seen(is_followed)
        await tell(relay, "resources/updated", uri="test://a")
        assert await anext(one) == frame("resources/updated", uri="test://a")
    await until_seen(is_left)


async def test_a_stream_is_told_of_other_tools_of_new_code_and_is_no_call(relay: Relay) -> None:
    """Issue: a reload is told; a stream neither keeps a child awake nor holds up its end."""
    await relay.stage.start(raw_spec("raw", "modern"))
    async with listening(relay, ALL) as messages:
        agreed = {"toolsListChanged": True}
        assert await anext(messages) == frame("subscriptions/acknowledged", notifications=agreed)
        assert relay.stage.supervisor.snapshot("raw").in_flight == 0
        await relay.stage.supervisor.apply(raw_spec("raw", "modern", "fewer"), enabled=True)
        assert await anext(messages) == frame("tools/list_changed")
        relay.endpoint.close_streams()
        last = {"resultType": "complete", "_meta": {SUBSCRIPTION: "mine"}}
        assert await anext(messages) == {"jsonrpc": "2.0", "id": "mine", "result": last}
        with pytest.raises(StopAsyncIteration):
            await anext(messages)


async def test_the_streams_of_a_token_end_with_it(relay: Relay) -> None:
    """Ours: what is revoked hears no more."""
    await relay.stage.start(raw_spec("raw"))
    async with (
        listening(relay, ALL, Authorization="Bearer gone") as gone,
        listening(relay, ALL, Authorization="Bearer other") as other,
    ):
        await anext(gone)
        await anext(other)
        relay.endpoint.forget("gone")
        assert (await anext(gone))["id"] == "mine"
        await tell(relay, "tools/list_changed")
        assert await anext(other) == frame("tools/list_changed")


async def test_streams_are_bounded_and_their_params_are_checked(relay: Relay) -> None:
    """Ours: one token cannot hold all streams; MCP 2026-07-28: -32602."""
    await relay.stage.start(raw_spec("raw"))
    for wrong in ({}, {"notifications": {"toolsListChanged": "yes"}}):
        answer = await relay.post("raw", *modern("subscriptions/listen", wrong))
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
    opened = 0
    async with anyio.create_task_group() as group:

        async def hold() -> None:
            nonlocal opened
            async with listening(relay, ALL, Authorization="Bearer one") as messages:
                await anext(messages)
                opened += 1
                await anyio.sleep_forever()

        for _ in range(MAX_PER_CALLER):
            group.start_soon(hold)
        await relay.stage.until(lambda: opened == MAX_PER_CALLER)
        body, headers = modern("subscriptions/listen", {"notifications": ALL})
        refused = await relay.post("raw", body, {**headers, "Authorization": "Bearer one"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (200, -32000)
        async with listening(relay, ALL, Authorization="Bearer other") as messages:
            await anext(messages)
        group.cancel_scope.cancel()


# The client's HTTP library leaves the generators within a stream's to the loop to close, which at
# times closes one that another one of them is closing. Nothing of ours runs in them.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <async_generator:pytest.PytestUnraisableExceptionWarning"
)
@ERAS
async def test_a_real_client_listens(relay: Relay, behaviours: tuple[str, ...]) -> None:
    """MCP 2026-07-28, as the official Python client reads it."""
    await relay.stage.start(raw_spec("raw", "tells", *behaviours))
    transport = StreamableHttpTransport(f"{relay.url}/servers/raw/mcp")
    async with (
        Client(transport) as client,
        listen(client.session, tools_list_changed=True) as heard,
    ):
        await tell(relay, "tools/list_changed")
        with anyio.fail_after(GUARD_S):
            assert type(await anext(heard)).__name__ == "ToolsListChanged"
