"""Whatever way a call takes, it leaves one entry, and no value."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.cli.client import Refused, request_local
from gateway.mcp_headers import VERSION_KEY, stateless_headers
from tests.audit.conftest import VALUE, Stage
from tests.waiting import PATIENCE_S, wait_until

WAIT_S = PATIENCE_S
SHAPE = "{to: string of 26}"

Act = Callable[[Stage], object]


def made(stage: Stage, before: int) -> list[dict[str, Any]]:
    """Return the entries since a number."""
    return stage.entries(after=str(before))


def fields(entry: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an entry that somebody has expectations of."""
    return {name: entry[name] for name in names}


def at(path: str, tool: str, /, **arguments: object) -> Act:
    """Return the act of calling a tool at an endpoint, whatever it answers."""

    def act(stage: Stage) -> None:
        with suppress(Refused):
            stage.call(path, tool, **arguments)

    return act


def invoke(tool: str, **payload: object) -> Act:
    """Return the act of calling a server's tool through the management tool."""
    return at("/mcp", "invoke_internal_mcp_tool", tool=tool, payload=payload)


OWN, ALL, MANAGE = "/servers/x/mcp", "/mcp/all", "/mcp"
CALL = {"actor": "cli", "actor_id": "", "action": "tools/call", "server": "x"}
INVOKE = {**CALL, "action": "invoke_internal_mcp_tool"}
OK = {"outcome": "ok"}
NOTHING = {"server": "", "target": ""}


@pytest.mark.parametrize(
    ("act", "entry"),
    [
        (at(OWN, "send", to=VALUE), {**CALL, "tool": "send", "arguments": SHAPE, "outcome": "ok"}),
        (at(ALL, "mcp__x__send", to=VALUE), {**CALL, "tool": "send", "outcome": "ok"}),
        (invoke("x.send", to=VALUE), {**INVOKE, "tool": "send", "arguments": SHAPE}),
        (at(OWN, "fail"), {**CALL, "tool": "fail", "outcome": "tool_error"}),
        (invoke("x.fail"), {**INVOKE, "tool": "fail", "outcome": "tool_error"}),
        (
            at(OWN, VALUE, x=VALUE),
            {**CALL, "tool": "an unknown tool", "arguments": "{?: string of 26}"},
        ),
        (at(f"/servers/{VALUE}/mcp", "send"), {**NOTHING, "outcome": "refused"}),
        (
            at(ALL, "search_tools", query=VALUE),
            {**NOTHING, "tool": "search_tools", "arguments": "{query: string of 26}"},
        ),
        (at(ALL, "search_tools", limit=0), {"tool": "search_tools", "outcome": "tool_error"}),
        (at(ALL, "describe_tool", tool="mcp__x__send"), {"tool": "describe_tool", **OK}),
        (at(ALL, VALUE), {**NOTHING, "tool": "an unknown tool", "outcome": "refused"}),
        (invoke("x.send", to=4711), {"action": "invoke_internal_mcp_tool", "outcome": "refused"}),
        (at(MANAGE, "list_jobs"), {"action": "list_jobs", "arguments": "{}", "outcome": "ok"}),
        (
            at(MANAGE, "get_job", job_id=VALUE),
            {**NOTHING, "action": "get_job", "outcome": "refused"},
        ),
        (at(MANAGE, VALUE), {"action": "an unknown tool", "outcome": "refused"}),
        (at(MANAGE, "restart_mcp_server", name="x"), {"server": "x", "outcome": "ok"}),
        (
            at(MANAGE, "delete_server_credential", server="x", key="API_KEY_2"),
            {"action": "delete_server_credential", "server": "", "outcome": "refused"},
        ),
        (at(OWN, "die"), {**CALL, "tool": "die", "outcome": "died", "answered_bytes": 0}),
        (invoke("x.die"), {**INVOKE, "tool": "die", "outcome": "died"}),
    ],
)
def test_every_way_leaves_exactly_one_entry(stage: Stage, act: Act, entry: dict[str, Any]) -> None:
    """Issue 6, point 9: who did what, argument shape, outcome."""
    before = stage.last()
    act(stage)
    (found,) = made(stage, before)
    assert fields(found, entry) == entry
    assert VALUE not in json.dumps(found)
    assert found["took_ms"] >= 0


def test_a_call_whose_caller_goes_away_is_cancelled(stage: Stage) -> None:
    """Issue 6, point 9; a modern caller cancels by closing its connection."""
    stage.call(MANAGE, "restart_mcp_server", name="x")
    before = stage.last()
    with posted(stage, stage.live.token, "hang", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01"):
        wait_until(lambda: in_flight(stage) == 1)
    wait_until(lambda: len(made(stage, before)) == 1)
    (found,) = made(stage, before)
    expected = {**CALL, "tool": "hang", "outcome": "cancelled", "correlation": "ab" * 16}
    assert fields(found, expected) == expected
    stage.call(MANAGE, "restart_mcp_server", name="x")


def test_a_long_call_leaves_its_entry_at_its_real_end(stage: Stage) -> None:
    """Ours: it went on under a handle, and was cancelled by another call, which has its own."""
    before = stage.last()
    answer = stage.call(MANAGE, "invoke_internal_mcp_tool", tool="x.hang", payload={})
    assert made(stage, before) == []
    stage.call(MANAGE, "cancel_call", handle=answer["structuredContent"]["handle"])
    wait_until(lambda: len(made(stage, before)) == 2)
    found = {entry["action"]: entry for entry in made(stage, before)}
    assert found["invoke_internal_mcp_tool"]["outcome"] == "cancelled"
    assert found["cancel_call"]["outcome"] == "ok"
    stage.call(MANAGE, "restart_mcp_server", name="x")


def test_a_token_is_named_by_its_id_and_what_it_may_not_is_refused(stage: Stage) -> None:
    """Issue 6, point 9: which token; and the making of one is in the log, not its value."""
    before = stage.last()
    wish = {"name": "t", "scope": "run", "servers": [], "tools": ["mcp__x__send"]}
    token = request_local(stage.live, "POST", "tokens", wish)
    for tool in ("send", "fail"):
        answered(stage, token["token"], tool)
    answered(stage, "crt_of-nobody", "send")
    answered(stage, token["token"], "list_jobs", path=MANAGE)
    made_one, *calls, managing = made(stage, before)
    assert fields(made_one, {"actor": 0, "action": 0}) == {
        "actor": "cli",
        "action": "create a token",
    }
    who = {"actor": "token", "actor_id": token["id"], "server": "x"}
    expected = [
        {**who, "tool": "send", "outcome": "ok"},
        {**who, "tool": "fail", "outcome": "refused"},
    ]
    assert [fields(call, expected[0]) for call in calls] == expected
    of_all = {"actor_id": token["id"], "action": "management tools", "outcome": "refused"}
    assert fields(managing, of_all) == of_all


def test_a_delivery_is_its_webhooks_and_leads_to_its_run(stage: Stage) -> None:
    """Issue 6, point 9: webhook intake; an address that nobody has leaves nothing."""
    made_hook = stage.call(MANAGE, "create_webhook", name="h", prompt_template="{{payload}}")
    webhook = made_hook["structuredContent"]["webhook"]
    before = stage.last()
    path = urlsplit(webhook["url"]).path
    for address in (path, f"{path[:-4]}nope"):
        connection = http.client.HTTPConnection(urlsplit(stage.live.url).netloc, timeout=WAIT_S)
        with closing(connection):
            connection.request("POST", address, VALUE, {"Content-Type": "text/plain"})
            connection.getresponse().read()
    (found,) = made(stage, before)
    expected = {"actor": "webhook", "actor_id": webhook["id"], "action": "delivery"}
    expected |= {"outcome": "ok", "asked_bytes": len(VALUE)}
    assert fields(found, expected) == expected
    assert found["correlation"].startswith("run_")


def test_filters_the_command_and_the_tool_agree(stage: Stage) -> None:
    """Issue 6, point 9: queryable and exportable."""
    stage.call(OWN, "send", to=VALUE)
    by_route = stage.entries(server="x", tool="send", outcome="ok", since="1h", limit="1000")
    assert by_route and {entry["tool"] for entry in by_route} == {"send"}
    options = ("--server", "x", "--tool", "send", "--outcome", "ok", "--since", "1h")
    done = stage.place.run("audit", *options, "--all", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == by_route[::-1]
    answer = stage.call(
        MANAGE, "list_audit_entries", server="x", tool="send", outcome="ok", since="1h", limit=1000
    )
    assert answer["structuredContent"] == {"entries": by_route, "older_before": None}
    table = stage.place.run("audit", "--server", "x", "--limit", "3").stdout
    assert table.startswith("TIME") and len(table.splitlines()) == 4


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"outcome": "fine"}, "The outcome must be one of ok, "),
        ({"since": "yesterday"}, "'since' must be an age such as 30m"),
        ({"after": "x"}, "'after' must be a whole number."),
    ],
)
def test_a_wrong_wish_is_refused_in_one_sentence(
    stage: Stage, asked: dict[str, str], sentence: str
) -> None:
    """Ours: what, which one, what to do."""
    with pytest.raises(Refused) as refused:
        stage.entries(**asked)
    assert str(refused.value).startswith(sentence)


def in_flight(stage: Stage) -> int:
    """Return the calls that the server is carrying out."""
    (server,) = request_local(stage.live, "GET", "status")["servers"]
    return int(server["in_flight"])


def answered(stage: Stage, token: str, tool: str, path: str = OWN) -> None:
    """Call a tool with a token of one's own."""
    with posted(stage, token, tool, path) as connection:
        connection.getresponse().read()


@contextmanager
def posted(
    stage: Stage, token: str, tool: str, path: str = OWN, **more: str
) -> Iterator[http.client.HTTPConnection]:
    """Give the connection on which a tool of the server is called; close it afterwards."""
    params: dict[str, Any] = {"name": tool, "arguments": {}, "_meta": {VERSION_KEY: "2026-07-28"}}
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    connection = http.client.HTTPConnection(urlsplit(stage.live.url).netloc, timeout=WAIT_S)
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        **stateless_headers(message, "2026-07-28"),
        **more,
    }
    with closing(connection):
        connection.request("POST", path, json.dumps(message), headers)
        yield connection
