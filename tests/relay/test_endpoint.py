"""Streamable HTTP in front of a live child, in both eras."""

import json
import os
import signal
from functools import partial
from typing import Any

import anyio
import msgspec
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import TextContent

from gateway.domain.view import View
from gateway.relay.gate import LiveServers
from gateway.relay.shown import shown
from supervisor.errors import ServerUnavailable
from supervisor.spec import ServerSpec
from tests.relay.conftest import Relay, events, modern, request
from tests.supervisor.conftest import GUARD_S, raw_spec

HANDSHAKE, MODERN = raw_spec("raw"), raw_spec("raw", "modern")


def call(tool: str, request_id: object = 1, **arguments: object) -> dict[str, Any]:
    """Return a handshake-era tool call."""
    return request("tools/call", {"name": tool, "arguments": arguments}, request_id)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("spec", [HANDSHAKE, MODERN], ids=["handshake child", "modern child"])
async def test_a_real_client_of_either_era_can_use_a_child_of_either_era(
    relay: Relay, spec: ServerSpec, mode: str
) -> None:
    """Design 3.4: bridged both ways."""
    await relay.stage.start(spec)
    transport = StreamableHttpTransport(f"{relay.url}/servers/raw/mcp")
    async with Client(transport, mode=mode) as client:
        expected = "2026-07-28" if mode == "auto" else "2025-11-25"
        assert client.session.protocol_version == expected
        tools = {tool.name for tool in await client.list_tools()}
        assert {"echo", "version"} <= tools
        result = await client.call_tool("echo", {"a": 1})
        assert isinstance(result.content[0], TextContent)
        assert result.content[0].text == '{"a": 1}'


@pytest.mark.parametrize("request_id", ["1", 1, 0, -3, "ü\u2028", '\\"', "x" * 500])
async def test_the_callers_id_comes_back_exactly(relay: Relay, request_id: object) -> None:
    """Research A.4: strings and numbers differ."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    answer = await relay.post("raw", call("version", request_id), session)
    assert answer.json()["id"] == request_id
    body, headers = modern("tools/call", {"name": "version", "arguments": {}}, request_id)
    assert (await relay.post("raw", body, headers)).json()["id"] == request_id


async def test_many_callers_with_the_same_id_get_their_own_answers(relay: Relay) -> None:
    """Design 3.3: ids are rewritten."""
    await relay.stage.start(HANDSHAKE)
    answers: dict[int, str] = {}

    async def ask(n: int) -> None:
        body, headers = modern("tools/call", {"name": "echo", "arguments": {"n": n}})
        answer = (await relay.post("raw", body, headers)).json()
        answers[n] = answer["result"]["content"][0]["text"]

    async with anyio.create_task_group() as group:
        for n in range(50):
            group.start_soon(ask, n)
    assert answers == {n: f'{{"n": {n}}}' for n in range(50)}


async def test_progress_turns_the_answer_into_a_stream_with_the_callers_token(
    relay: Relay,
) -> None:
    """MCP, basic/transports: JSON when nothing came first, else a stream."""
    await relay.stage.start(HANDSHAKE)
    params = {"name": "wait", "arguments": {"steps": 3}, "_meta": {"progressToken": "mine"}}
    body, headers = modern("tools/call", params, "call-1")
    answer = await relay.post("raw", body, headers)
    assert answer.headers["content-type"] == "text/event-stream"
    *progress, last = events(answer)
    assert [p["params"] for p in progress] == [
        {"progressToken": "mine", "progress": n} for n in (1, 2, 3)
    ]
    assert last["id"] == "call-1"
    assert last["result"]["resultType"] == "complete"


async def test_a_modern_client_that_goes_away_cancels_its_call(relay: Relay) -> None:
    """MCP 2026-07-28: closing the response stream is the cancellation."""
    await relay.stage.start(HANDSHAKE)
    params = {"name": "wait", "arguments": {"steps": 1000}, "_meta": {"progressToken": 1}}
    body, headers = modern("tools/call", params)
    url = "/servers/raw/mcp"
    async with relay.http.stream("POST", url, json=body, headers=headers) as response:
        await anext(response.aiter_bytes())
        assert relay.stage.supervisor.snapshot("raw").in_flight == 1
    await relay.stage.until(lambda: relay.stage.supervisor.snapshot("raw").in_flight == 0)


async def test_a_handshake_client_cancels_by_notification_and_gets_no_answer(
    relay: Relay,
) -> None:
    """MCP 2025-11-25, basic/utilities/cancellation."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    statuses: list[int] = []

    async def ask() -> None:
        answer = await relay.post("raw", call("wait", "c1", steps=1000), session)
        statuses.append(answer.status_code)
        assert answer.content == b""

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await relay.stage.until(lambda: relay.stage.supervisor.snapshot("raw").in_flight == 1)
        cancel = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": "c1"},
        }
        assert (await relay.post("raw", cancel, session)).status_code == 202
    assert statuses == [202]
    assert relay.stage.supervisor.snapshot("raw").in_flight == 0


async def test_a_child_that_dies_answers_its_callers_with_the_reason(relay: Relay) -> None:
    """Issue: in-flight calls of a dead child fail at once with exit code and stderr tail."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    answer = await relay.post("raw", call("die", "x", status=4), session)
    crash = relay.stage.supervisor.crashes("raw")[0]
    how = f"exit code 4, {crash.circumstances()}"
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": "x",
        "error": {
            "code": -32000,
            "message": f"Server 'raw' ended during the call: {how}.",
            "data": {
                "server": "raw",
                "reason": "exit code 4",
                "stderrTail": ["last words"],
                "generation": 1,
                "more": "get_crash_report",
            },
        },
    }
    again = await relay.post("raw", call("version"), session)
    assert again.json()["result"]["content"][0]["text"] == "1"


async def test_a_session_outlives_the_child(relay: Relay) -> None:
    """Design 3.2: children never belong to sessions."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    pid = relay.stage.supervisor.snapshot("raw").pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await relay.stage.supervisor.apply(raw_spec("raw", "version=2"), enabled=True)
    answer = await relay.post("raw", call("version"), session)
    assert answer.json()["result"]["content"][0]["text"] == "2"


async def test_a_session_is_bound_to_server_and_token_and_can_be_ended(relay: Relay) -> None:
    """Research E.9: a session id of another client, or a guessed one, is 404; its stream too."""
    await relay.stage.start(HANDSHAKE)
    await relay.stage.start(raw_spec("other"))
    session = await relay.open_session("raw")
    stolen = {**session, "Authorization": "Bearer thief"}
    assert (await relay.post("raw", call("version"), stolen)).status_code == 404
    assert (await relay.post("other", call("version"), session)).status_code == 404
    assert (await relay.post("raw", call("version"))).status_code == 400
    url = "/servers/raw/mcp"
    for guessed in (stolen, {"Mcp-Session-Id": "guessed"}):
        for method in ("GET", "DELETE"):
            assert (await relay.http.request(method, url, headers=guessed)).status_code == 404
    assert (await relay.http.delete(url, headers=session)).status_code == 204
    assert (await relay.post("raw", call("version"), session)).status_code == 404


async def test_pings_are_answered_without_the_child(relay: Relay) -> None:
    """Research A.4."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    before = relay.stage.supervisor.snapshot("raw").calls
    assert (await relay.post("raw", request("ping"), session)).json()["result"] == {}
    assert relay.stage.supervisor.snapshot("raw").calls == before


async def test_changes_reach_the_open_stream_of_every_session(relay: Relay) -> None:
    """MCP 2025-11-25: list_changed is unsolicited."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    url = "/servers/raw/mcp"
    with anyio.fail_after(GUARD_S):
        async with relay.http.stream("GET", url, headers=session) as response:
            assert (await relay.http.get(url, headers=session)).status_code == 409
            await relay.post("raw", call("notify"), session)
            chunk = await anext(response.aiter_bytes())
    assert b"notifications/tools/list_changed" in chunk


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, -32700),
        (b"[]", 400, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600),
        (b"{}", 400, -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600),
        (b'{"id":1,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 400, -32602),
        (b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + b"[" * 100_000, 400, -32700),
        (b"[" * 100_000, 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', 400, -32600),
    ],
)
async def test_what_is_no_message_is_refused(
    relay: Relay, body: bytes, status: int, code: int
) -> None:
    """JSON-RPC 2.0, section 5.1; batches are gone since 2025-06-18."""
    await relay.stage.start(HANDSHAKE)
    answer = await relay.post("raw", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"Mcp-Method": "tools/list"}, "mcp-method says 'tools/list'"),
        ({"Mcp-Name": "echo"}, "mcp-name says 'echo', the body says 'version'"),
        ({"Mcp-Method": None}, "mcp-method is missing"),
        ({"Mcp-Name": None}, "mcp-name is missing"),
    ],
)
async def test_modern_headers_must_say_what_the_body_says(
    relay: Relay, change: dict[str, str | None], sentence: str
) -> None:
    """MCP 2026-07-28, basic/transports: -32020."""
    await relay.stage.start(HANDSHAKE)
    body, headers = modern("tools/call", {"name": "version", "arguments": {}})
    sent = {k: v for k, v in {**headers, **change}.items() if v is not None}
    answer = await relay.post("raw", body, sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert sentence in answer.json()["error"]["message"]


async def test_an_unknown_revision_is_told_the_known_ones(relay: Relay) -> None:
    """MCP 2026-07-28: -32022."""
    await relay.stage.start(HANDSHAKE)
    answer = await relay.post("raw", request("ping"), {"MCP-Protocol-Version": "1999-01-01"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, -32022)
    assert "2026-07-28" in error["data"]["supported"]


async def test_an_error_of_the_child_keeps_its_code_and_gets_its_eras_status(
    relay: Relay,
) -> None:
    """Research A.1: 200 in the handshake era, 404 for an unknown method in the modern one."""
    await relay.stage.start(HANDSHAKE)
    session = await relay.open_session("raw")
    answer = await relay.post("raw", request("no/such"), session)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32601)
    answer = await relay.post("raw", *modern("no/such"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


async def test_unknown_and_disabled_servers_say_what_they_are(relay: Relay) -> None:
    """Issue: one clear sentence."""
    await relay.stage.start(HANDSHAKE)
    await relay.stage.supervisor.disable("raw")
    answer = await relay.post("nope", *modern("tools/list"))
    assert answer.status_code == 404
    assert "no server named 'nope'" in answer.json()["error"]["message"]
    answer = await relay.post("raw", *modern("tools/list"))
    assert answer.json()["error"]["message"] == "Server 'raw' is disabled: disabled."


async def test_a_disabled_server_is_given_to_no_run(relay: Relay) -> None:
    """Research E.12: schedules, webhooks and quick runs all get their servers here."""
    await relay.stage.start(HANDSHAKE)
    supervisor = relay.stage.supervisor
    gate = LiveServers(supervisor, None, None, None)  # pyright: ignore[reportArgumentType] - none of them is asked
    await gate.ready(("raw",))
    assert set(gate.entries(("raw",), "token", relay.url)) == {"raw"}
    await supervisor.disable("raw")
    assert gate.enabled_servers() == ()
    with pytest.raises(ServerUnavailable) as refused:
        await gate.ready(("raw",))
    assert str(refused.value) == "Server 'raw' is disabled: disabled."


async def test_a_runs_token_reaches_its_own_server_and_tools_only(relay: Relay) -> None:
    """Design 3.11: held by tokens, not by wording."""
    await relay.stage.start(HANDSHAKE)
    await relay.stage.start(raw_spec("other"))
    run = {"Authorization": "Bearer run"}
    ask = partial(modern, "tools/call")
    body, headers = ask({"name": "version", "arguments": {}})
    assert (await relay.post("raw", body, {**headers, **run})).status_code == 200
    assert (await relay.post("other", body, {**headers, **run})).status_code == 403
    body, headers = ask({"name": "echo", "arguments": {}})
    refused = await relay.post("raw", body, {**headers, **run})
    assert refused.status_code == 403
    assert "may not call tool 'echo'" in refused.json()["error"]["message"]


async def test_a_bound_token_is_shown_its_own_tools_only(relay: Relay) -> None:
    """Ours: in either era; what it may not call takes no room in its model."""
    await relay.stage.start(HANDSHAKE)
    run = {"Authorization": "Bearer run"}
    body, headers = modern("tools/list")
    whole = (await relay.post("raw", body, headers)).json()["result"]
    bound = (await relay.post("raw", body, {**headers, **run})).json()["result"]
    own = [tool for tool in whole["tools"] if tool["name"] == "version"]
    assert (len(whole["tools"]) > 1, bound) == (True, {**whole, "tools": own})
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {}}
    answer = await relay.post("raw", request("initialize", params), run)
    session = {**run, "Mcp-Session-Id": answer.headers["Mcp-Session-Id"]}
    listed = (await relay.post("raw", request("tools/list"), session)).json()["result"]
    assert listed["tools"] == own


@pytest.mark.parametrize(
    ("tools", "left"),
    [
        (None, ["a", "b"]),
        ({"mcp__raw__*"}, ["a", "b"]),
        ({"mcp__*__*"}, ["a", "b"]),
        ({"mcp__raw__b", "mcp__other__a"}, ["b"]),
        ({"mcp__other__*"}, []),
    ],
)
def test_a_page_is_cut_to_what_a_token_names(tools: set[str] | None, left: list[str]) -> None:
    """Ours: what else the page says stays, and what is no page shows nothing to a bound token."""
    page = {"tools": [{"name": "a", "x": 1.0}, {"name": "b"}], "nextCursor": "2"}
    view = None if tools is None else View(frozenset(tools))
    cut = json.loads(bytes(shown(view, "raw", msgspec.Raw(json.dumps(page).encode()))))
    assert ([tool["name"] for tool in cut["tools"]], cut["nextCursor"]) == (left, "2")
    if left != ["a", "b"]:
        assert bytes(shown(view, "raw", msgspec.Raw(b"[]"))) == b'{"tools":[]}'


async def test_other_methods_and_huge_bodies_are_refused(relay: Relay) -> None:
    """Ours."""
    await relay.stage.start(HANDSHAKE)
    assert (await relay.http.put("/servers/raw/mcp")).status_code == 405
    assert (await relay.post("raw", b" " * (17 * 1024 * 1024))).status_code == 413
    gone = await relay.http.get("/servers/raw/mcp", headers={"MCP-Protocol-Version": "2026-07-28"})
    assert gone.status_code == 405


async def test_a_slow_reader_holds_up_nobody_else(relay: Relay) -> None:
    """Design 3.3: a stalled reader blocks nobody."""
    await relay.stage.start(HANDSHAKE)
    params = {"name": "wait", "arguments": {"steps": 400, "each_s": 0.001}}
    body, headers = modern("tools/call", {**params, "_meta": {"progressToken": 1}})
    url = "/servers/raw/mcp"
    async with relay.http.stream("POST", url, json=body, headers=headers):
        for _ in range(20):
            other = await relay.post("raw", *modern("tools/call", {"name": "version"}))
            assert other.json()["result"]["content"][0]["text"] == "1"
