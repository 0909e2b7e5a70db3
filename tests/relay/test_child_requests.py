"""What a child asks its clients: sampling, elicitation, roots, and whatever else it thinks of."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from msgspec import Raw

from supervisor.children.asking import is_declared
from supervisor.children.wire import encode
from tests.relay.callers import ALL, reply, session, talking, value
from tests.relay.conftest import Relay, modern, serve_relay
from tests.supervisor.conftest import open_stage

SAMPLE = {"messages": [], "maxTokens": 5}
FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay in front of one shared child that talks back."""
    async with open_stage(tmp_path_factory.mktemp("home")) as stage, serve_relay(stage) as served:
        await stage.start(talking("talking"))
        yield served


@pytest.mark.parametrize(
    ("method", "params", "result"),
    [
        ("sampling/createMessage", SAMPLE, {"role": "assistant", "content": {}, "model": "m"}),
        ("elicitation/create", FORM, {"action": "accept", "content": {"a": 1}}),
        ("roots/list", {}, {"roots": []}),
        ("acme/whatever", {"x": [1]}, {"y": None}),
    ],
)
async def test_a_request_goes_out_on_its_calls_stream_and_the_answer_comes_back(
    relay: Relay, method: str, params: dict[str, Any], result: object
) -> None:
    """MCP 2025-11-25, basic/transports: on the stream of the request that it belongs to."""
    caller = await session(relay, "talking")
    async with caller.calling("ask", method=method, params=params) as messages:
        asked = await messages.next()
        assert asked == {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        assert (await caller.post(reply(asked, result))).status_code == 202
        answer = await messages.next()
    assert answer["id"] == "own"
    assert value(answer)["result"] == result


async def test_an_error_of_the_client_reaches_the_child_as_it_is(relay: Relay) -> None:
    """MCP: the user may reject it."""
    caller = await session(relay, "talking")
    error = {"code": -1, "message": "User rejected", "data": {"why": 1}}
    async with caller.calling("ask", method="sampling/createMessage", params=SAMPLE) as messages:
        asked = await messages.next()
        await caller.post({"jsonrpc": "2.0", "id": asked["id"], "error": error})
        assert value(await messages.next())["error"] == error


async def test_a_ping_of_the_child_is_answered_here(relay: Relay) -> None:
    """Research A.4."""
    caller = await session(relay, "talking")
    assert (await caller.call("ask", method="ping", params={}))["result"] == {}


@pytest.mark.parametrize(
    ("declared", "method", "params", "may"),
    [
        ({}, "sampling/createMessage", {}, False),
        ({"sampling": {}}, "sampling/createMessage", {}, True),
        ({"sampling": {}}, "sampling/createMessage", {"tools": []}, False),
        ({"sampling": {"tools": {}}}, "sampling/createMessage", {"tools": []}, True),
        ({"elicitation": {}}, "elicitation/create", {}, True),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url"}, False),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "url"}, True),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "form"}, False),
        ({"elicitation": None}, "elicitation/create", {}, False),
        ({}, "roots/list", {}, False),
        ({"roots": {}}, "roots/list", {}, True),
        ({}, "acme/other", {}, True),
    ],
)
def test_a_client_is_asked_what_it_declared_only(
    declared: dict[str, Any], method: str, params: dict[str, Any], may: bool
) -> None:
    """MCP 2025-11-25: modes of elicitation, tools in sampling."""
    assert is_declared(declared, method, Raw(encode(params))) is may


async def test_what_a_client_did_not_declare_is_refused_to_the_child(relay: Relay) -> None:
    """MCP: -32601 for what a client does not support."""
    caller = await session(relay, "talking", {"elicitation": {}})
    answer = await caller.call("ask", method="sampling/createMessage", params=SAMPLE)
    assert answer["error"] == {
        "code": -32601,
        "message": "The client that is served now declared no capability for"
        " sampling/createMessage.",
    }


async def test_with_calls_of_two_clients_in_flight_nobody_is_asked(relay: Relay) -> None:
    """Ours: what one client's call is about must not reach another client."""
    first, second = await session(relay, "talking"), await session(relay, "talking")
    answer: dict[str, Any] = {}
    async with anyio.create_task_group() as group:
        group.start_soon(first.call, "wait")
        await relay.stage.until(lambda: relay.stage.supervisor.snapshot("talking").in_flight == 1)
        answer = await second.call("ask", method="elicitation/create", params=FORM)
        await second.call("release")
    assert answer["error"]["code"] == -32000
    assert "2 calls are in flight, and any could" in answer["error"]["message"]


async def test_of_two_calls_of_one_session_the_request_goes_to_the_sessions_stream(
    relay: Relay,
) -> None:
    """Research A.4: else on the GET stream."""
    await relay.stage.start(talking("two"))
    caller = await session(relay, "two")
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(await caller.call("ask", method="elicitation/create", params=FORM))

    async with anyio.create_task_group() as group, caller.listening() as stream:
        group.start_soon(caller.call, "wait")
        await relay.stage.until(lambda: relay.stage.supervisor.snapshot("two").in_flight == 1)
        group.start_soon(ask)
        asked = await stream.next()
        await caller.post(reply(asked, {"action": "decline"}))
        await caller.call("release")
    assert answers[0]["result"] == {"action": "decline"}


async def test_where_no_stream_is_open_the_child_is_refused_at_once(relay: Relay) -> None:
    """Ours: nothing waits for a client that cannot hear it."""
    await relay.stage.start(talking("unheard"))
    caller = await session(relay, "unheard")
    answer: dict[str, Any] = {}
    async with anyio.create_task_group() as group:
        group.start_soon(caller.call, "wait")
        await relay.stage.until(lambda: relay.stage.supervisor.snapshot("unheard").in_flight == 1)
        answer = await caller.call("ask", method="elicitation/create", params=FORM)
        await caller.call("release")
    assert "no open stream" in answer["error"]["message"]


async def test_a_request_without_a_call_is_refused(relay: Relay) -> None:
    """Ours: on a shared child nobody owns it."""
    await relay.stage.start(talking("alone"))
    caller = await session(relay, "alone")
    await caller.ask("logging/setLevel", {"level": "error"})
    await caller.call("ask_soon", method="roots/list", params={})
    async with caller.listening() as stream:
        await caller.call("release")
        assert (await stream.next())["params"]["data"] == "asked"
    answer = next(message["answer"] for message in await caller.told() if "answer" in message)
    assert "No call is in flight" in answer["error"]["message"]


async def test_a_session_that_ends_fails_what_it_was_asked(relay: Relay) -> None:
    """Ours: a child must not wait for somebody who left."""
    caller, other = await session(relay, "talking"), await session(relay, "talking")
    async with caller.calling("ask", method="elicitation/create", params=FORM) as messages:
        asked = await messages.next()
        await caller.end()
    refused = [m for m in await other.told() if m.get("error", {}).get("code") == -32000]
    assert refused[-1]["error"]["message"] == "The client's session has ended."
    assert (await caller.post(reply(asked, {}))).status_code == 404


async def test_a_child_that_gives_up_its_request_tells_the_client(relay: Relay) -> None:
    """MCP, basic/utilities/cancellation, in the other direction, with the client's own id."""
    caller = await session(relay, "talking")
    async with caller.calling("give_up", method="elicitation/create", params=FORM) as messages:
        asked, cancelled = await messages.next(), await messages.next()
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"]["requestId"] == asked["id"]
    assert (await caller.post(reply(asked, {"action": "accept"}))).status_code == 202


async def test_the_clients_progress_reaches_the_child_with_the_childs_token(relay: Relay) -> None:
    """MCP, basic/utilities/progress; tokens are rewritten in this direction too."""
    caller = await session(relay, "talking")
    params = {**SAMPLE, "_meta": {"progressToken": "of the child", "other": 1}}
    async with caller.calling("ask", method="sampling/createMessage", params=params) as messages:
        asked = await messages.next()
        assert asked["params"]["_meta"] == {"progressToken": asked["id"], "other": 1}
        moved = {"progressToken": asked["id"], "progress": 0.5}
        await caller.post({"jsonrpc": "2.0", "method": "notifications/progress", "params": moved})
        await caller.post(reply(asked, {}))
        await messages.next()
    told = [m["params"] for m in await caller.told() if m.get("method") == "notifications/progress"]
    assert told == [{"progressToken": "of the child", "progress": 0.5}]


async def test_a_call_is_not_timed_out_while_its_own_caller_is_asked(relay: Relay) -> None:
    """Ours: a person takes longer than a call may."""
    await relay.stage.start(talking("hasty", call_timeout_s=0.2))
    caller = await session(relay, "hasty")
    async with caller.calling("ask", method="elicitation/create", params=FORM) as messages:
        asked = await messages.next()
        enough = anyio.current_time() + 0.5
        await relay.stage.until(lambda: anyio.current_time() > enough)
        await caller.post(reply(asked, {"action": "cancel"}))
        assert value(await messages.next())["result"] == {"action": "cancel"}


async def test_a_shared_child_is_told_of_sampling_and_elicitation_but_not_of_roots(
    relay: Relay,
) -> None:
    """Ours: servers keep the roots of one client for everybody."""
    caller = await session(relay, "talking", ALL)
    first = (await caller.told())[0]
    assert first["params"]["capabilities"] == {
        "sampling": {"tools": {}},
        "elicitation": {"form": {}, "url": {}},
    }


async def test_no_child_is_told_who_calls_or_by_which_token(relay: Relay) -> None:
    """Research E.5: a token is the gateway's alone; a server that had it could pass it on."""
    canary = "crt_canary"
    body, headers = modern("tools/call", {"name": "told", "arguments": {}})
    sent = {**headers, "Authorization": f"Bearer {canary}"}
    first = await relay.post("talking", body, sent)
    second = await relay.post("talking", body, sent)
    assert (first.status_code, second.status_code) == (200, 200)
    assert "tools/call" in second.text
    assert canary not in second.text
