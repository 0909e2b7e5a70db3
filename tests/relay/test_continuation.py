"""What a modern child wants to know before it answers a handshake caller."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from gateway.relay.continuation import MAX_ROUNDS
from supervisor.children.era import PREFIX
from tests.relay.callers import reply, session
from tests.relay.conftest import Relay, serve_relay
from tests.supervisor.conftest import GUARD_S, open_stage, raw_spec

FORM = {
    "method": "elicitation/create",
    "params": {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}},
}
URL = {"method": "elicitation/create", "params": {"mode": "url", "message": "Go", "url": "x:y"}}
SAMPLE = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 5}}
ROOTS = {"method": "roots/list"}
ACCEPTED = {"action": "accept", "content": {"name": "Ada"}}


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay in front of one shared modern child."""
    async with open_stage(tmp_path_factory.mktemp("home")) as stage, serve_relay(stage) as served:
        await stage.start(raw_spec("raw", "modern"))
        yield served


def text(answer: dict[str, Any]) -> Any:
    """Return what a tool returned."""
    return json.loads(answer["result"]["content"][0]["text"])


async def test_each_question_becomes_a_request_and_their_answers_one_call_more(
    relay: Relay,
) -> None:
    """MCP 2026-07-28: the child is called again with the answers, under another id."""
    caller = await session(relay, "raw")
    asked = {"a": FORM, "b": SAMPLE, "c": ROOTS}
    answers = {"elicitation/create": ACCEPTED, "sampling/createMessage": {"x": 1}, "roots/list": {}}
    async with caller.calling("inquire", asked=asked) as messages:
        for _ in asked:
            message = await messages.next()
            expected = next(one for one in asked.values() if one["method"] == message["method"])
            assert message.get("params") == expected.get("params")
            assert (
                await caller.post(reply(message, answers[message["method"]]))
            ).status_code == 202
        answer = await messages.next()
    assert answer["id"] == "own"
    responses, meta = text(answer)
    assert responses == {key: answers[one["method"]] for key, one in asked.items()}
    assert set(meta[PREFIX + "clientCapabilities"]) == {"sampling", "elicitation", "roots"}
    assert relay.stage.supervisor.snapshot("raw").in_flight == 0


async def test_a_child_may_ask_several_times_or_only_want_to_be_called_again(relay: Relay) -> None:
    """MCP 2026-07-28: the state alone is enough; ours: as often as the official clients go on."""
    caller = await session(relay, "raw")
    async with caller.calling("inquire", asked={"a": FORM}, rounds=3) as messages:
        for _ in range(3):
            await caller.post(reply(await messages.next(), ACCEPTED))
        assert text(await messages.next())[0] == {"a": ACCEPTED}
    assert (await caller.call("inquire", asked={}, rounds=2))[0] is None
    answer = await caller.ask(
        "tools/call", {"name": "inquire", "arguments": {"asked": {}, "rounds": MAX_ROUNDS + 1}}
    )
    assert answer["error"]["code"] == -32000


async def test_a_form_elsewhere_gets_the_id_that_its_era_requires(relay: Relay) -> None:
    """MCP 2025-11-25, client/elicitation: elicitationId."""
    caller = await session(relay, "raw", {"elicitation": {"url": {}}})
    async with caller.calling("inquire", asked={"a": URL}) as messages:
        message = await messages.next()
        assert message["params"].pop("elicitationId")
        assert message["params"] == URL["params"]
        await caller.post(reply(message, {"action": "accept"}))
        assert text(await messages.next())[0] == {"a": {"action": "accept"}}


@pytest.mark.parametrize(
    ("declared", "asked", "needed"),
    [
        ({}, FORM, {"elicitation": {"form": {}}}),
        ({"elicitation": {}}, URL, {"elicitation": {"url": {}}}),
        ({"sampling": {}}, {**SAMPLE, "params": {"tools": []}}, {"sampling": {"tools": {}}}),
        ({}, ROOTS, {"roots": {}}),
    ],
)
async def test_a_client_is_not_asked_what_it_did_not_declare(
    relay: Relay, declared: dict[str, Any], asked: object, needed: object
) -> None:
    """MCP 2026-07-28: -32021 names what is missing."""
    caller = await session(relay, "raw", declared)
    params = {"name": "inquire", "arguments": {"asked": {"a": asked}}}
    error = (await caller.ask("tools/call", params))["error"]
    assert (error["code"], error["data"]) == (-32021, {"requiredCapabilities": needed})


async def test_what_the_client_refuses_is_the_answer_and_other_questions_are_withdrawn(
    relay: Relay,
) -> None:
    """Ours, as the official clients do: an error has no place among the responses."""
    caller = await session(relay, "raw")
    async with caller.calling("inquire", asked={"a": SAMPLE, "b": FORM}) as messages:
        first, second = await messages.next(), await messages.next()
        error = {"code": -1, "message": "User rejected"}
        await caller.post({"jsonrpc": "2.0", "id": first["id"], "error": error})
        rest = [await messages.next(), await messages.next()]
    answer = next(message for message in rest if "error" in message)
    withdrawn = next(message for message in rest if "method" in message)
    assert (answer["id"], answer["error"]) == ("own", error)
    assert withdrawn["method"] == "notifications/cancelled"
    assert withdrawn["params"]["requestId"] == second["id"]


async def test_a_child_that_dies_while_its_question_is_open_fails_the_call(relay: Relay) -> None:
    """Ours: at once, with the reason."""
    caller = await session(relay, "raw")
    async with caller.calling("inquire", asked={"a": FORM}) as messages:
        await messages.next()
        await caller.ask("tools/call", {"name": "die"})
        rest = [await messages.next()]
        if "error" not in rest[0]:
            rest.append(await messages.next())
    assert "ended during the call" in rest[-1]["error"]["message"]
    await relay.stage.start(raw_spec("raw", "modern", "version=2"))


async def test_a_real_client_is_asked_and_answers(relay: Relay) -> None:
    """MCP 2025-11-25, as the official Python client reads it."""

    async def answer(message: str, *_: object) -> dict[str, str]:
        return {"name": message}

    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    asked = {"method": FORM["method"], "params": {"message": "Who?", "requestedSchema": schema}}
    transport = StreamableHttpTransport(f"{relay.url}/servers/raw/mcp")
    with anyio.fail_after(GUARD_S):
        async with Client(transport, mode="legacy", elicitation_handler=answer) as client:
            result = await client.call_tool("inquire", {"asked": {"a": asked}})
    assert "Who?" in result.content[0].text  # type: ignore[union-attr]
