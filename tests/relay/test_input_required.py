"""What a handshake child asks in the middle of a modern caller's call, which then goes on."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport

from gateway.relay.parked import Full, Parked, Purpose
from supervisor.children.era import CAPABILITIES_KEY
from tests.relay.callers import talking
from tests.relay.conftest import Relay, modern, serve_relay
from tests.supervisor.conftest import GUARD_S, open_stage, raw_spec
from tests.waiting import until

SAMPLE = {"messages": [], "maxTokens": 5}
FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
URL = {"mode": "url", "message": "Go", "url": "https://example.com", "elicitationId": "e1"}
ALL = {"sampling": {}, "elicitation": {"form": {}, "url": {}}, "roots": {}}


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Relay]:
    """A relay in front of one shared child that talks back."""
    async with open_stage(tmp_path_factory.mktemp("home")) as stage, serve_relay(stage) as served:
        await stage.start(talking("talking"))
        await stage.start(raw_spec("raw"))
        yield served


async def call(
    relay: Relay,
    tool: str,
    arguments: dict[str, Any],
    *,
    request_id: object = 1,
    declared: dict[str, Any] | None = None,
    token: str = "owner",
    server: str = "talking",
    **members: object,
) -> httpx2.Response:
    """Call a tool as a modern caller that can be asked everything."""
    params = {"name": tool, "arguments": arguments, **members}
    body, headers = modern("tools/call", params, request_id)
    body["params"]["_meta"][CAPABILITIES_KEY] = ALL if declared is None else declared
    return await relay.post(server, body, {**headers, "Authorization": f"Bearer {token}"})


async def asked(relay: Relay, method: str, params: object, **more: Any) -> dict[str, Any]:
    """Have the child ask something and return the result by which the caller is asked."""
    answer = await call(relay, "ask", {"method": method, "params": params}, **more)
    return answer.json()["result"]


def said(answer: httpx2.Response) -> Any:
    """Return what a tool returned."""
    return json.loads(answer.json()["result"]["content"][0]["text"])


@pytest.mark.parametrize(
    ("method", "params", "shown", "response"),
    [
        ("elicitation/create", FORM, FORM, {"action": "accept", "content": {"name": "Ada"}}),
        (
            "elicitation/create",
            URL,
            {"mode": "url", "message": "Go", "url": "https://example.com"},
            {"action": "decline"},
        ),
        ("sampling/createMessage", SAMPLE, SAMPLE, {"role": "user", "content": {}, "model": "m"}),
        ("roots/list", {}, {}, {"roots": []}),
    ],
)
async def test_a_question_of_the_child_becomes_a_result_and_its_answer_another_request(
    relay: Relay, method: str, params: object, shown: object, response: object
) -> None:
    """MCP 2026-07-28: input required; the child's call is one and the same."""
    supervisor = relay.stage.supervisor
    result = await asked(relay, method, params, request_id="first")
    assert result["resultType"] == "input_required"
    assert result["inputRequests"] == {"1": {"method": method, "params": shown}}
    assert supervisor.snapshot("talking").in_flight == 1
    answer = await call(
        relay,
        "ask",
        {"params": params, "method": method},
        request_id="second",
        inputResponses={"1": response, "of somebody else": {}},
        requestState=result["requestState"],
    )
    assert answer.json()["id"] == "second"
    assert answer.json()["result"]["resultType"] == "complete"
    assert said(answer)["result"] == response
    assert supervisor.snapshot("talking").in_flight == 0


async def test_what_is_not_answered_is_asked_again(relay: Relay) -> None:
    """MCP 2026-07-28: a server asks again for what is missing; each state is good once."""
    result = await asked(relay, "elicitation/create", FORM)
    arguments = {"method": "elicitation/create", "params": FORM}
    again = await call(relay, "ask", arguments, requestState=result["requestState"])
    assert again.json()["result"]["inputRequests"] == result["inputRequests"]
    spent = await call(relay, "ask", arguments, requestState=result["requestState"])
    assert (spent.status_code, spent.json()["error"]["code"]) == (400, -32602)
    state = again.json()["result"]["requestState"]
    wrong = await call(relay, "ask", arguments, requestState=state, inputResponses=[1])
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, -32602)
    done = await call(
        relay, "ask", arguments, requestState=state, inputResponses={"1": {"action": "cancel"}}
    )
    assert said(done)["result"] == {"action": "cancel"}


async def test_a_state_is_of_one_caller_and_one_call(relay: Relay) -> None:
    """Ours: whoever sees another's state can do nothing with it, and a call is not exchanged."""
    arguments = {"method": "elicitation/create", "params": FORM}
    result = await asked(relay, "elicitation/create", FORM)
    state, response = result["requestState"], {"1": {"action": "accept"}}
    with_it = {"requestState": state, "inputResponses": response}
    for refused in (
        await call(relay, "ask", arguments, token="thief", **with_it),
        await call(relay, "ask", {**arguments, "params": {}}, **with_it),
        await call(relay, "count", {}, **with_it),
        await call(relay, "ask", arguments, inputResponses=response, requestState=state + "x"),
    ):
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, -32602)
    assert said(await call(relay, "ask", arguments, **with_it))["result"] == {"action": "accept"}


async def test_a_caller_that_declared_nothing_is_asked_nothing(relay: Relay) -> None:
    """MCP 2026-07-28: capabilities are of the request; the child hears what a client would say."""
    arguments = {"method": "elicitation/create", "params": URL}
    for declared in ({}, {"sampling": {}}, {"elicitation": {}}):
        answer = said(await call(relay, "ask", arguments, declared=declared))
        assert answer["error"]["code"] == -32601
    unknown = {"method": "acme/whatever", "params": {}}
    assert said(await call(relay, "ask", unknown))["error"]["code"] == -32601


async def test_a_caller_that_waits_does_not_make_its_other_calls_unsure(relay: Relay) -> None:
    """Ours: a call that stands still is not the reason for another question, for the same token."""
    waiting = await asked(relay, "elicitation/create", FORM)
    other = await asked(relay, "sampling/createMessage", SAMPLE)
    assert other["inputRequests"]["1"]["method"] == "sampling/createMessage"
    arguments = {"method": "elicitation/create", "params": FORM}
    stranger = said(await call(relay, "ask", arguments, token="stranger"))
    assert "per_session" in stranger["error"]["message"]
    for method, params, result in (
        ("elicitation/create", FORM, waiting),
        ("sampling/createMessage", SAMPLE, other),
    ):
        done = await call(
            relay,
            "ask",
            {"method": method, "params": params},
            requestState=result["requestState"],
            inputResponses={"1": {}},
        )
        assert said(done)["result"] == {}


async def test_a_call_whose_caller_stays_away_is_cancelled_at_the_child(tmp_path: Path) -> None:
    """Ours: here because its token is revoked; the child is told, its question is refused."""
    async with open_stage(tmp_path) as stage, serve_relay(stage) as relay:
        await stage.start(talking("talking"))
        await asked(relay, "elicitation/create", FORM)
        assert stage.supervisor.snapshot("talking").in_flight == 1
        relay.endpoint.forget("somebody else")
        assert stage.supervisor.snapshot("talking").in_flight == 1
        relay.endpoint.forget("owner")
        assert stage.supervisor.snapshot("talking").in_flight == 0
        *_, cancelled, refusal, _ = said(await call(relay, "told", {}))
        assert cancelled["method"] == "notifications/cancelled"
        assert "did not come back" in refusal["error"]["message"]


async def test_calls_wait_in_bounded_number_and_time() -> None:
    """Ours: nothing waits for ever, and one token does not take all the room."""
    given_up: list[str] = []
    parked = Parked(given_up.append, wait_s=0.0, per_caller=2)
    mine = Purpose("me", "raw", b"1")
    states = {parked.put(mine, name) for name in ("a", "b")}
    assert len(states) == 2
    with pytest.raises(Full):
        parked.put(mine, "c")
    parked.put(Purpose("you", "raw", b"1"), "d")
    await until(lambda: len(given_up) >= 3)
    assert sorted(given_up) == ["a", "b", "d"]
    assert [parked.take(state, mine) for state in states] == [None, None]
    parked.put(mine, "e")
    parked.end_all()


async def test_a_child_that_dies_meanwhile_fails_the_call_that_goes_on(relay: Relay) -> None:
    """Ours: the caller learns of it when it comes back."""
    result = await asked(relay, "elicitation/create", FORM)
    await call(relay, "die", {}, token="other")
    late = await call(
        relay,
        "ask",
        {"method": "elicitation/create", "params": FORM},
        requestState=result["requestState"],
        inputResponses={"1": {}},
    )
    assert late.json()["error"]["code"] == -32000
    assert "ended during the call" in late.json()["error"]["message"]
    await relay.stage.start(talking("talking", "version=2"))


async def test_pages_that_a_user_has_to_open_first_are_asked_for_by_a_result(relay: Relay) -> None:
    """MCP 2025-11-25 has an error for it, which 2026-07-28 has not; the caller then calls anew."""
    result = (await call(relay, "locked", {}, server="raw")).json()["result"]
    params = {"mode": "url", "message": "Go", "url": "x:y"}
    asked = {"1": {"method": "elicitation/create", "params": params}}
    assert result == {"resultType": "input_required", "inputRequests": asked}
    again = await call(relay, "echo", {}, server="raw", inputResponses={"1": {"action": "accept"}})
    assert said(again) == {}
    error = (await call(relay, "locked", {}, server="raw", declared={})).json()["error"]
    assert error["code"] == -32021
    assert error["data"] == {"requiredCapabilities": {"elicitation": {"url": {}}}}


async def test_a_real_client_is_asked_and_answers(relay: Relay) -> None:
    """MCP 2026-07-28, as the official Python client reads it."""

    async def answer(message: str, *_: object) -> dict[str, str]:
        return {"name": message}

    transport = StreamableHttpTransport(f"{relay.url}/servers/talking/mcp")
    form = {
        **FORM,
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
    }
    with anyio.fail_after(GUARD_S):
        async with Client(transport, elicitation_handler=answer) as client:
            result = await client.call_tool("ask", {"method": "elicitation/create", "params": form})
    assert "Who?" in result.content[0].text  # type: ignore[union-attr]
