"""Commands that act through a running gateway, and clients that start us beside one."""

import asyncio
import json
import re
import sys

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

from gateway.local import LiveGateway, find_live
from gateway.variables import CHECKOUT
from tests.cli.gateways import CODE, Place
from tests.oauth.parts import Browser
from tests.tools.test_long_calls import CODE as SLOW

pytestmark = pytest.mark.timeout(120)

ERAS = (("auto", "2026-07-28"), ("legacy", "2025-11-25"))


def live_of(place: Place) -> LiveGateway:
    """Return the gateway of a place that has one."""
    live = find_live(place.home)
    assert live is not None
    return live


async def status_of(place: Place, token: str) -> int:
    """Return how `/mcp` answers this token."""
    async with httpx2.AsyncClient() as client:
        answer = await client.post(
            f"{live_of(place).url}/mcp", headers={"Authorization": f"Bearer {token}"}, json={}
        )
        return answer.status_code


def test_call_prints_the_result_as_json(live_place: Place) -> None:
    """Ours: a server made and called from the shell, its code through standard input."""
    code = CODE.replace("\n", "\\n").replace('"', '\\"')
    made = live_place.json(
        "call", "create_mcp_server", "-", given=f'{{"name": "adder", "code": "{code}"}}'
    )
    assert (made["ok"], made["server"]["state"]) == (True, "ready")
    called = live_place.json(
        "call", "invoke_internal_mcp_tool", '{"tool": "adder:add", "payload": {"a": 2, "b": 3}}'
    )
    assert called == {"result": 5}
    status = live_place.run("status")
    assert "adder" in status.stdout
    live_place.json("call", "delete_mcp_server", '{"name": "adder"}')


def test_costs_are_printed_as_a_table_or_as_json(live_place: Place) -> None:
    """Issue 7, point 4: also when nothing was spent."""
    printed = live_place.run("costs", "--by", "model")
    assert printed.stdout.splitlines()[0].startswith("Nothing was spent since 20")
    today = printed.stdout.splitlines()[1]
    assert re.fullmatch(r"Today: 0\.0000 US dollars, by prices of 20\d\d-\d\d-\d\d\.", today)
    assert live_place.json("costs", "--by", "server", "--json")["rows"] == []


@pytest.mark.parametrize(("mode", "version"), ERAS)
async def test_a_new_server_is_used_in_the_session_that_made_it(
    live_place: Place, mode: str, version: str
) -> None:
    """Issue 4, What 6: through the endpoint, by the tools that a client saw at first."""
    live = live_of(live_place)
    transport = StreamableHttpTransport(f"{live.url}/mcp", auth=live.token)
    async with asyncio.timeout(60), Client(transport, mode=mode) as client:
        assert client.session.protocol_version == version
        name = f"made-{mode}"
        await client.call_tool("create_mcp_server", {"name": name, "code": CODE})
        found = await client.call_tool("search_tools", {"query": f"add {name}"})
        hit = (found.structured_content or {})["tools"][0]
        assert hit["tool"] == f"mcp__{name}__add"
        described = await client.call_tool("describe_tool", {"tool": hit["tool"]})
        assert (described.structured_content or {})["example"] == {"a": 1, "b": 1}
        wrong = {"tool": hit["tool"], "payload": {"a": "2", "c": 3}}
        refused = await client.call_tool("invoke_internal_mcp_tool", wrong, raise_on_error=False)
        assert refused.is_error
        right = {"tool": hit["tool"], "payload": '{"a": 2, "b": 3}'}
        called = await client.call_tool("invoke_internal_mcp_tool", right)
        assert called.structured_content == {"result": 5}
        await client.call_tool("delete_mcp_server", {"name": name})


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (("set_server_credential", '{"value": "s3cret"}'), "call set_server_credential - < FILE"),
        (("adder:add", '{"a": 1}'), "tools call adder:add '{}'"),
        (("mcp__adder__add", "{}"), "tools call mcp__adder__add '{}'"),
    ],
)
def test_call_that_cannot_be_meant_so_says_what_to_do(
    place: Place, command: tuple[str, ...], advice: str
) -> None:
    """Ours: before any gateway is asked; a secret is not repeated."""
    done = place.run("call", *command)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert advice in done.stderr
    assert "s3cret" not in done.stderr


async def test_progress_of_a_server_reaches_the_client(live_place: Place) -> None:
    """MCP: from the child's pipe to a client of the real endpoint, and the answer after it."""
    live, told = live_of(live_place), asyncio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert (progress, total, message) == (3.0, 10.0, "third of ten")
        told.set()

    transport = StreamableHttpTransport(f"{live.url}/mcp", auth=live.token)
    async with asyncio.timeout(60), Client(transport) as client:
        await client.call_tool("create_mcp_server", {"name": "slow", "code": SLOW})
        invoke = "invoke_internal_mcp_tool"
        slow = client.call_tool(invoke, {"tool": "slow:slow"}, progress_handler=note)
        calling = asyncio.ensure_future(slow)
        await told.wait()
        await client.call_tool(invoke, {"tool": "slow:release"})
        assert [block.model_dump()["text"] for block in (await calling).content] == ["slow done"]
        await client.call_tool("delete_mcp_server", {"name": "slow"})


@pytest.mark.parametrize(
    "command",
    [
        ("call", "no_such_tool"),
        ("call", "get_job", '{"job_id": "job_none"}'),
        ("call", "get_job", "{}"),
        ("call", "get_job\r\nX-Evil: 1", "{}"),
        ("call", "gét_jöb"),
        ("token", "revoke", "../status"),
        ("token", "create", "--name", "a\nb", "--scope", "admin"),
    ],
)
def test_refusal_is_one_sentence(live_place: Place, command: tuple[str, ...]) -> None:
    """Ours: nothing on standard output, exit status 1."""
    done = live_place.run(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("claude-runner: ")
    assert done.stderr.count("\n") == 1


def test_crash_prints_why_a_server_died(live_place: Place) -> None:
    """Ours: the report as text, one fact a line."""
    code = CODE.replace("return a + b", "raise SystemExit(5)").replace("mcp.run()", "1 / 0")
    live_place.json(
        "call", "create_mcp_server", "-", given=json.dumps({"name": "sad", "code": code})
    )
    lines = live_place.run("crash", "sad").stdout.splitlines()
    assert lines[0].startswith("Server 'sad' died: exit code 1, before it was ready as generation ")
    assert lines[2] == "Calls that failed with it: 0"
    assert "ZeroDivisionError: division by zero" in lines[-1]
    live_place.json("call", "delete_mcp_server", '{"name": "sad"}')


async def test_token_opens_the_gateway_until_it_is_revoked(live_place: Place) -> None:
    """Ours: no restart in between."""
    made = live_place.run("token", "create", "--name", "phone", "--scope", "admin")
    token = made.stdout.strip()
    assert await status_of(live_place, token) != 401
    row = next(
        line for line in live_place.run("token", "list").stdout.splitlines() if "phone" in line
    )
    assert live_place.run("token", "revoke", row.split()[0]).returncode == 0
    assert await status_of(live_place, token) == 401


async def test_local_routes_are_for_the_local_token_alone(live_place: Place) -> None:
    """Ours: an admin token from elsewhere makes no tokens."""
    made = live_place.run("token", "create", "--name", "elsewhere", "--scope", "admin")
    url = f"{live_of(live_place).url}/local/tokens"
    async with httpx2.AsyncClient() as client:
        nobody = await client.post(url, json={"name": "x", "scope": "admin"})
        other = await client.post(
            url,
            json={"name": "x", "scope": "admin"},
            headers={"Authorization": f"Bearer {made.stdout.strip()}"},
        )
    assert (nobody.status_code, other.status_code) == (401, 403)


async def test_dashboard_link_opens_one_session(live_place: Place) -> None:
    """Ours: printed alone, single use; the session is listed and ended by command."""
    link = live_place.run("dashboard", "link").stdout.strip()
    base = link.partition("/login")[0]
    async with httpx2.AsyncClient() as client:
        browser = Browser(base, client)
        await browser.log_in(link.removeprefix(base))
        assert (await client.get(base)).status_code == 200
        listed = live_place.run("dashboard", "sessions").stdout
        session = next(word for word in listed.split() if word.startswith("session_"))
        assert (
            live_place.run("dashboard", "log-out", session).stderr == "Logged out of 1 browser.\n"
        )
        assert (await client.get(base)).status_code == 401
        with pytest.raises(AssertionError, match="has been used"):
            await browser.log_in(link.removeprefix(base))
    assert live_place.run("dashboard", "log-out", session).returncode == 1


def test_second_gateway_is_refused_with_the_pid(live_place: Place) -> None:
    """Ours: http and sse name the holder, exit status 2."""
    pid = live_of(live_place).pid
    for transport in ("http", "sse"):
        done = live_place.run("serve", env={"MCP_TRANSPORT": transport})
        assert (done.returncode, done.stdout) == (2, "")
        assert f"process {pid}" in done.stderr
        assert done.stderr.count("\n") == 1


def test_terminal_that_is_no_pipe_is_refused_too(live_place: Place) -> None:
    """Ours: `both` bridges for an MCP client only."""
    done = live_place.run_shell(f'MCP_TRANSPORT=both "{sys.executable}" -I "$CHECKOUT" serve <&-')
    assert done.returncode == 2


@pytest.mark.parametrize(("mode", "version"), ERAS)
@pytest.mark.parametrize("command", ["serve", "stdio"])
async def test_client_on_stdio_reaches_the_live_gateway(
    live_place: Place, command: str, mode: str, version: str
) -> None:
    """Ours: both eras, many calls at once, errors as they are."""
    transport = StdioTransport(
        sys.executable,
        ["-I", str(CHECKOUT), command],
        env={**live_place.env(), "MCP_TRANSPORT": "both"},
        keep_alive=False,
    )
    async with asyncio.timeout(60), Client(transport, mode=mode) as client:
        assert client.session.protocol_version == version
        assert "list_jobs" in {tool.name for tool in await client.list_tools()}
        answers = await asyncio.gather(*(client.call_tool("list_runs", {}) for _ in range(20)))
        assert all(not answer.is_error for answer in answers)
        refused = await client.call_tool("no_such_tool", {}, raise_on_error=False)
        assert refused.is_error


def test_bridge_prints_nothing_but_protocol(live_place: Place) -> None:
    """Ours: junk is answered with an error, and what was asked last is still answered."""
    asked = (
        "junk\n\n[1]\n"
        '{"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "list_jobs",'
        ' "arguments": {}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",'
        ' "io.modelcontextprotocol/clientCapabilities": {}}}}\n'
    )
    done = live_place.run("stdio", given=asked)
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [message.get("id") for message in messages] == [None, None, "a"]
    assert [message["error"]["code"] for message in messages[:2]] == [-32700, -32700]
    assert messages[2]["result"]["structuredContent"] == {"jobs": []}


def test_bridge_ends_when_its_gateway_does(place: Place) -> None:
    """Ours: a sentence on standard error, exit status 1, no hang."""
    asked = '{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    with place.gateway(SANDBOX="off"):
        bridge = place.start_bridge()
    with bridge:
        assert bridge.stdin is not None
        assert bridge.stderr is not None
        bridge.stdin.write(asked)
        bridge.stdin.flush()
        assert bridge.wait(30) == 1
        assert "has ended" in bridge.stderr.read()


def test_hostile_lines_do_not_end_the_bridge(live_place: Place) -> None:
    """JSON-RPC 2.0, section 5.1: an error for each, and on."""
    bridge = live_place.start_bridge()
    with bridge:
        assert bridge.stdin is not None
        assert bridge.stdout is not None
        codes: list[int] = []
        for line in ("[" * 100_000, '{"jsonrpc": "2.0", "id": [1], "method": "ping"}'):
            bridge.stdin.write(line + "\n")
            bridge.stdin.flush()
            codes.append(json.loads(bridge.stdout.readline())["error"]["code"])
        assert codes == [-32700, -32600]
        bridge.stdin.close()
        assert bridge.wait(30) == 0


def test_the_connector_is_looked_at_from_the_shell(live_place: Place) -> None:
    """Issue 6, What 3: without PUBLIC_URL the local address, and that is said."""
    shown = live_place.run("doctor", "connector")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("WARNING  address")
    assert "Set PUBLIC_URL to the https address that others reach" in shown.stdout
    report = live_place.json("doctor", "connector", "--json")
    assert (report["good"], report["base"]) == (True, live_of(live_place).url)
    assert [step["step"] for step in report["steps"] if step["grade"] == "warning"] == [
        "address",
        "DNS",
    ]
