"""What a server logs during a call reaches the modern caller that wants to read it."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx2
import pytest

from supervisor.children.era import LOG_LEVEL_KEY
from tests.relay.callers import session, talking
from tests.relay.conftest import Relay, events, modern, serve_relay
from tests.supervisor.conftest import open_stage, raw_spec


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay in front of one shared child of each era, both of which log what they are told."""
    async with open_stage(tmp_path_factory.mktemp("home")) as stage, serve_relay(stage) as served:
        await stage.start(talking("handshake"))
        await stage.start(raw_spec("modern", "modern"))
        yield served


async def log(
    relay: Relay, server: str, said: str, wanted: str | None, name: str = "log"
) -> httpx2.Response:
    """Have a server log something, as a caller that wants to read so much."""
    arguments = {"level": said} if server == "modern" else {"level": said, "data": "said"}
    params: dict[str, Any] = {"name": name, "arguments": arguments}
    if wanted is not None:
        params["_meta"] = {LOG_LEVEL_KEY: wanted}
    return await relay.post(server, *modern("tools/call", params))


@pytest.mark.parametrize("server", ["handshake", "modern"])
@pytest.mark.parametrize(
    ("said", "wanted", "reaches"),
    [
        ("error", "warning", True),
        ("warning", "warning", True),
        ("info", "warning", False),
        ("emergency", None, False),
        ("emergency", "nonsense", False),
    ],
)
async def test_a_message_comes_before_the_answer_of_the_call_that_wants_it(
    relay: Relay, server: str, said: str, wanted: str | None, *, reaches: bool
) -> None:
    """MCP 2026-07-28, server/utilities/logging: asked for per request, from a level on."""
    answer = await log(relay, server, said, wanted)
    if reaches:
        message, result = events(answer)
        params = {"level": said, "data": "said"}
        expected = {"jsonrpc": "2.0", "method": "notifications/message", "params": params}
        assert message == expected
        assert result["result"]["resultType"] == "complete"
    else:
        assert answer.headers["content-type"] == "application/json"


async def test_a_handshake_child_is_set_to_what_is_wanted(relay: Relay) -> None:
    """MCP 2025-11-25, server/utilities/logging: the level is the child's."""
    await log(relay, "handshake", "info", "notice")
    await log(relay, "handshake", "info", "debug")
    told = await (await session(relay, "handshake")).told()
    levels = [one["params"]["level"] for one in told if one.get("method") == "logging/setLevel"]
    assert levels[-2:] == ["notice", "debug"]


async def test_who_asked_for_no_log_does_not_make_a_modern_childs_log_unsure(relay: Relay) -> None:
    """MCP 2026-07-28: a server logs nothing for a request that did not ask for it."""
    async with anyio.create_task_group() as group:
        group.start_soon(
            relay.post,
            "modern",
            *modern("tools/call", {"name": "wait", "arguments": {"steps": 99}}),
        )
        supervisor = relay.stage.supervisor
        await relay.stage.until(lambda: supervisor.snapshot("modern").in_flight == 1)
        message, _ = events(await log(relay, "modern", "error", "info"))
        assert message["params"]["level"] == "error"
        group.cancel_scope.cancel()
