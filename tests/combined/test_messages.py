"""What passes through `/mcp/all`: the same as at a server's own endpoint, and news of lists."""

import json
from typing import Any

import anyio

from tests.combined.conftest import URL, Combined, listing
from tests.relay.conftest import modern, request


async def test_progress_and_cancellation_reach_the_right_server(combined: Combined) -> None:
    """MCP: the caller's own token comes back; a modern caller that goes away has cancelled."""
    for name in ("alpha", "beta"):
        await combined.stage.start(listing(name, "tools=wait"))
    params = {"name": "mcp__beta__wait", "arguments": {}, "_meta": {"progressToken": "mine"}}
    message, headers = modern("tools/call", params)
    async with combined.http.stream("POST", URL, json=message, headers=headers) as response:
        lines = (line async for line in response.aiter_lines() if line.startswith("data: "))
        told = json.loads((await anext(lines))[6:])
        assert told["params"] == {"progressToken": "mine", "progress": 1}
        supervisor = combined.stage.supervisor
        assert [supervisor.snapshot(n).in_flight for n in ("alpha", "beta")] == [0, 1]
    await combined.stage.until(lambda: combined.stage.supervisor.snapshot("beta").in_flight == 0)


async def test_a_handshake_caller_cancels_by_notification(combined: Combined) -> None:
    """MCP 2025-11-25, basic/utilities/cancellation."""
    await combined.stage.start(listing("alpha", "tools=wait"))
    session = await combined.open_session()

    async def ask() -> None:
        params = {"name": "mcp__alpha__wait", "arguments": {}}
        answer = await combined.post(request("tools/call", params, "c1"), session)
        assert (answer.status_code, answer.content) == (202, b"")

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        seen = combined.stage.supervisor.snapshot
        await combined.stage.until(lambda: seen("alpha").in_flight == 1)
        cancel = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": "c1"},
        }
        assert (await combined.post(cancel, session)).status_code == 202
    assert combined.stage.supervisor.snapshot("alpha").in_flight == 0


async def test_sessions_hear_of_every_list_that_changes(combined: Combined) -> None:
    """Issue 5, What 4: a server that comes, goes or lists anew."""
    await combined.stage.start(listing("alpha", "tools=grow", "prompts=hello", "resources=a://1"))
    session = await combined.open_session()
    heard: list[str] = []

    async def listen() -> None:
        headers = {**session, "Accept": "text/event-stream"}
        async with combined.http.stream("GET", URL, headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    heard.append(json.loads(line[6:])["method"].split("/")[1])

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        sessions = combined.endpoint._sessions
        await combined.stage.until(lambda: any(s.stream for s in sessions.of_server("")))
        await combined.call("mcp__alpha__grow", text="new")
        await combined.stage.until(lambda: sorted(heard) == ["prompts", "resources", "tools"])
        assert "mcp__alpha__new" in await combined.tools()
        heard.clear()
        await combined.stage.start(listing("beta", "tools=one"))
        await combined.stage.until(lambda: heard == ["tools"])
        heard.clear()
        await combined.stage.supervisor.disable("beta")
        await combined.stage.until(lambda: heard == ["tools"])
        group.cancel_scope.cancel()


async def test_a_modern_stream_hears_of_the_lists_that_it_asked_for(combined: Combined) -> None:
    """MCP 2026-07-28, basic/patterns/subscriptions."""
    await combined.stage.start(listing("alpha", "tools=grow", "prompts=hello"))
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["a://1"]}
    message, headers = modern("subscriptions/listen", {"notifications": wanted}, "l1")
    heard: list[dict[str, Any]] = []
    async with combined.http.stream("POST", URL, json=message, headers=headers) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                heard.append(json.loads(line[6:]))
                if len(heard) == 2:
                    break
                await combined.call("mcp__alpha__grow", text="new")
    acknowledged, changed = heard
    assert acknowledged["params"]["notifications"] == {"toolsListChanged": True}
    assert changed["method"] == "notifications/tools/list_changed"
    assert list(changed["params"]["_meta"].values()) == ["l1"]


async def test_completion_leads_to_the_server_of_its_reference(combined: Combined) -> None:
    """MCP, server/utilities/completion."""
    await combined.stage.start(listing("alpha", "prompts=hello"))
    await combined.stage.start(listing("beta", "templates=b://{x}"))
    pids = {n: str(combined.stage.supervisor.snapshot(n).pid) for n in ("alpha", "beta")}
    argument = {"name": "x", "value": ""}
    ref = {"type": "ref/prompt", "name": "mcp__alpha__hello"}
    answer = await combined.ask("completion/complete", ref=ref, argument=argument)
    values = answer["result"]["completion"]["values"]
    assert [json.loads(values[0]), values[1]] == [{**ref, "name": "hello"}, pids["alpha"]]
    ref = {"type": "ref/resource", "uri": "b://{x}"}
    answer = await combined.ask("completion/complete", ref=ref, argument=argument)
    assert answer["result"]["completion"]["values"] == [json.dumps(ref), pids["beta"]]


async def test_what_belongs_to_no_server_is_refused(combined: Combined) -> None:
    """Ours: with the sentence that says why, in the caller's era."""
    session = await combined.open_session()
    answer = (await combined.post(request("tasks/get", {"taskId": "1"}), session)).json()
    assert answer["error"]["code"] == -32601
    answer = (await combined.post(request("resources/read", {"uri": "a://1"}), session)).json()
    assert answer["error"]["code"] == -32002
    assert (await combined.post(request("ping"), session)).json()["result"] == {}
    message, headers = modern("tools/call", {"name": "nope", "arguments": {}})
    assert (await combined.post(message, headers)).status_code == 400
    message, headers = modern("tools/call", {"name": "nope", "arguments": {}})
    wrong = (await combined.post(message, {**headers, "Mcp-Name": "other"})).json()
    assert (wrong["id"], wrong["error"]["code"]) == (1, -32020)


async def test_a_session_is_of_the_token_that_opened_it(combined: Combined) -> None:
    """MCP 2025-11-25, basic/transports: 404 for a session that is not the caller's."""
    session = await combined.open_session()
    assert (await combined.post(request("ping"), session, "other")).status_code == 404
    deleted = await combined.http.delete(URL, headers={**session, "Authorization": "Bearer owner"})
    assert deleted.status_code == 204
    assert (await combined.post(request("ping"), session)).status_code == 404


async def test_a_token_that_ends_takes_its_streams_along(combined: Combined) -> None:
    """Ours: in both eras; another token's go on."""
    message, modern_headers = modern("subscriptions/listen", {"notifications": {}}, "l1")
    session = await combined.open_session()
    listening = combined.http.stream(
        "POST", URL, json=message, headers={**modern_headers, "Authorization": "Bearer owner"}
    )
    async with listening as stream, combined.http.stream("GET", URL, headers=session) as other:
        lines = stream.aiter_lines()
        while not (await anext(lines)).startswith("data: "):
            pass
        combined.endpoint.forget("somebody")
        assert (await combined.post(request("ping"), session)).status_code == 200
        combined.endpoint.forget("owner")
        ended = [json.loads(line[6:]) async for line in lines if line.startswith("data: ")]
        assert [message["id"] for message in ended] == ["l1"]
        assert [line async for line in other.aiter_lines() if line.startswith("data: ")] == []
    assert (await combined.post(request("ping"), session)).status_code == 404


async def test_a_call_of_a_server_that_is_starting_waits_for_it(combined: Combined) -> None:
    """Ours: it has listed nothing yet, which is no reason to say that its tool does not exist."""
    await combined.stage.supervisor.apply(listing("alpha", "tools=one"), enabled=True)
    assert (await combined.call("mcp__alpha__one"))["tool"] == "one"


async def test_a_task_is_asked_of_the_server_that_made_it(combined: Combined) -> None:
    """SEP-2663, of what names no server: by the caller whose call became it, and nobody else."""
    for name in ("alpha", "beta"):
        await combined.stage.start(listing(name, "modern", "tools=later"))
    seen = combined.stage.supervisor.snapshot

    async def make(server: str, task: str) -> None:
        named = {"name": f"mcp__{server}__later", "arguments": {"text": task}}
        assert (await combined.ask("tools/call", **named))["result"]["taskId"] == task

    async def ask(method: str, task: str, token: str = "owner") -> dict[str, Any]:
        message, headers = modern(method, {"taskId": task})
        return (await combined.post(message, {**headers, "Mcp-Name": task}, token)).json()

    found = (await combined.ask("server/discover"))["result"]["capabilities"]
    assert found["extensions"] == {"io.modelcontextprotocol/tasks": {}}
    await make("alpha", "a1")
    await make("beta", "b1")
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        assert (await ask(method, "a1"))["result"]["status"] == str(seen("alpha").pid)
        assert (await ask(method, "b1"))["result"]["status"] == str(seen("beta").pid)
        assert (await ask(method, "a1", "other"))["error"]["code"] == -32602
    await make("beta", "a1")
    assert (await ask("tasks/get", "a1"))["error"]["code"] == -32602, "two servers claim it"
    combined.endpoint.forget("owner")
    assert (await ask("tasks/get", "b1"))["error"]["code"] == -32602
