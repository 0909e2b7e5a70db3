"""Clients of a running gateway: their configuration, and those that start us on stdio."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

from gateway.local import LiveGateway, find_live
from gateway.variables import CHECKOUT
from tests.cli.gateways import COMMAND, Place, make_place
from tests.combined.conftest import LISTING_SERVER

pytestmark = pytest.mark.timeout(120)

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ERAS = (("auto", "2026-07-28"), ("legacy", "2025-11-25"))
SERVERS = {"alpha": ["tools=one,wait", "prompts=hello", "resources=a://1"], "beta": ["tools=one"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Generator[Place]:
    """A home with a running gateway and two servers."""
    place = make_place(tmp_path_factory.mktemp("clients"))
    install_servers(place)
    with place.gateway(SANDBOX="off"):
        yield place


def install_servers(place: Place) -> None:
    """Put the servers where a gateway finds them."""
    code = LISTING_SERVER.read_text("utf-8")
    for name, options in SERVERS.items():
        folder = place.folder / "fixed" / name
        folder.mkdir()
        begun = f"import sys\nsys.argv[1:] = {options!r}\n"
        (folder / "server.py").write_text(begun + code, "utf-8")


def live_of(place: Place) -> LiveGateway:
    """Return the gateway of a place that has one."""
    live = find_live(place.home)
    assert live is not None
    return live


def tokens(place: Place) -> list[str]:
    """Return the ids of all tokens."""
    return [line.split()[0] for line in place.run("token", "list").stdout.splitlines()]


def on_stdio(place: Place, *arguments: str) -> StdioTransport:
    """Return how a client starts `claude-runner stdio`."""
    argv = [*COMMAND[1:], "stdio", *arguments]
    return StdioTransport(COMMAND[0], argv, env=place.env(), keep_alive=False)


async def told(client: Client[Any], tool: str) -> dict[str, Any]:
    """Return what a tool of the listing server told."""
    result = await client.call_tool(tool, {"text": "x"})
    return json.loads(result.content[0].model_dump()["text"])


@pytest.mark.parametrize(("mode", "version"), ERAS)
async def test_two_terminals_share_one_child(place: Place, mode: str, version: str) -> None:
    """Issue 5, What 5: a client that starts us beside a gateway attaches to it."""
    one, all_of_them = on_stdio(place, "--server", "alpha"), on_stdio(place, "--combined")
    async with (
        asyncio.timeout(60),
        Client(one, mode=mode) as first,
        Client(all_of_them, mode=mode) as second,
    ):
        assert (first.session.protocol_version, second.session.protocol_version) == (version,) * 2
        assert [tool.name for tool in await first.list_tools()] == ["one", "wait"]
        names = {tool.name for tool in await second.list_tools()}
        assert {"mcp__alpha__one", "mcp__beta__one", "search_tools"} <= names
        pids = {(await told(first, "one"))["pid"], (await told(second, "mcp__alpha__one"))["pid"]}
        assert len(pids) == 1
        moved = asyncio.Event()

        async def note(progress: float, total: float | None, message: str | None) -> None:
            moved.set()

        calling = asyncio.ensure_future(
            second.call_tool("mcp__alpha__wait", {}, progress_handler=note)
        )
        await moved.wait()
        calling.cancel()
        await asyncio.wait((calling,))
        assert (await told(first, "one"))["pid"] in pids


async def test_a_client_on_stdio_without_a_gateway_has_its_own(tmp_path: Path) -> None:
    """Ours: the same command works in both cases; what it starts ends with it."""
    place = make_place(tmp_path)
    install_servers(place)
    transport = StdioTransport(
        COMMAND[0],
        [*COMMAND[1:], "stdio", "--server", "beta"],
        env={**place.env(), "SANDBOX": "off"},
        keep_alive=False,
    )
    async with asyncio.timeout(90), Client(transport) as client:
        assert [tool.name for tool in await client.list_tools()] == ["one"]
    assert find_live(place.home) is None


@pytest.mark.parametrize(
    ("client", "member", "keys"),
    [
        ("claude-code", "mcpServers", {"type", "url", "headers"}),
        ("vscode", "servers", {"type", "url", "headers"}),
        ("cursor", "mcpServers", {"url", "headers"}),
    ],
)
async def test_a_printed_entry_is_one_that_works(
    place: Place, client: str, member: str, keys: set[str]
) -> None:
    """Issue 5, What 5: ready entries, with a token for just those servers."""
    printed = place.json("config", "--client", client, "--server", "alpha")
    assert list(printed) == [member]
    (name, entry), *others = printed[member].items()
    assert (name, others, set(entry)) == ("alpha", [], keys)
    transport = StreamableHttpTransport(entry["url"], headers=entry["headers"])
    async with asyncio.timeout(60), Client(transport) as connected:
        assert (await told(connected, "one"))["tool"] == "one"
    async with httpx2.AsyncClient(headers=entry["headers"]) as http:
        for path, status in (("/servers/beta/mcp", 403), ("/mcp", 403)):
            answer = await http.post(live_of(place).url + path, json=PING)
            assert answer.status_code == status, answer.text
    transport = StreamableHttpTransport(f"{live_of(place).url}/mcp/all", headers=entry["headers"])
    async with asyncio.timeout(60), Client(transport) as connected:
        names = [tool.name for tool in await connected.list_tools()][2:]
        assert names == ["mcp__alpha__one", "mcp__alpha__wait"]


def test_claude_desktop_gets_programs_without_any_token(place: Place) -> None:
    """Ours: its file takes no addresses, and a program of ours needs no token."""
    printed = place.json("config", "--client", "claude-desktop")
    program = str(CHECKOUT / "claude-runner")
    env = {"CLAUDE_RUNNER_HOME": str(place.home)}
    assert printed == {
        "mcpServers": {
            name: {"command": program, "args": ["stdio", "--server", name], "env": env}
            for name in ("alpha", "beta")
        }
    }
    combined = place.json("config", "--client", "vscode", "--combined", "--stdio")
    (entry,) = combined["servers"].values()
    assert entry == {
        "type": "stdio",
        "command": program,
        "args": ["stdio", "--combined"],
        "env": env,
    }


def test_entries_are_merged_into_a_file_that_keeps_the_rest(place: Place, tmp_path: Path) -> None:
    """Issue 5, What 5: merged, for the owner's eyes, and again without a word about it."""
    file = tmp_path / ".mcp.json"
    rest = {"theme": "dark", "mcpServers": {"theirs": {"command": "x"}}, "n": 1.5}
    file.write_text(json.dumps(rest), "utf-8")
    first, again = (place.run("config", "--combined", "--write", str(file)) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), again.stderr
    written = json.loads(file.read_text("utf-8"))
    ours = written["mcpServers"].pop("claude-runner")
    assert written == rest
    assert ours["url"] == f"{live_of(place).url}/mcp/all"
    assert file.stat().st_mode & 0o777 == 0o600
    token = ours["headers"]["Authorization"].removeprefix("Bearer ")
    assert token not in first.stdout + first.stderr + again.stdout + again.stderr
    assert token not in (place.folder / "gateway.log").read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "{ // a comment\n}",
        "[]",
        '{"mcpServers": []}',
        '{"a": 1, "a": 2}',
        '{"mcpServers": {"alpha": {"command": "somebody-elses"}}}',
        '{"mcpServers": {"alpha": {"url": "https://example.org/mcp"}}}',
    ],
)
def test_a_file_that_cannot_be_merged_into_stays_as_it_is(
    place: Place, tmp_path: Path, text: str
) -> None:
    """Ours: nothing is changed, and no token is made that nobody uses."""
    file = tmp_path / "mcp.json"
    file.write_text(text, "utf-8")
    before = tokens(place)
    done = place.run("config", "--server", "alpha", "--write", str(file))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert file.read_text("utf-8") == text
    assert [each.name for each in tmp_path.iterdir()] == ["mcp.json"]
    assert tokens(place) == before


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--server", "nobody"), 1),
        (("--server", "../x"), 2),
        (("--combined", "--server", "alpha", "--stdio"), 2),
        (("--server", "alpha", "--write", "/nowhere/at/all.json"), 1),
    ],
)
def test_what_cannot_be_written_down_is_refused(
    place: Place, arguments: tuple[str, ...], status: int
) -> None:
    """Ours: one sentence, nothing on standard output."""
    done = place.run("config", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)


async def test_a_token_for_named_tools_is_made_and_listed(place: Place) -> None:
    """Issue 5, What 4: filters and renames per token, set by the command line."""
    options = ("--tool", "mcp__alpha__one", "--rename", "mcp__alpha__one=first")
    made = place.run("token", "create", "--name", "narrow", "--scope", "run", *options)
    assert made.returncode == 0, made.stderr
    auth = made.stdout.strip()
    transport = StreamableHttpTransport(f"{live_of(place).url}/mcp/all", auth=auth)
    async with asyncio.timeout(60), Client(transport) as client:
        assert [tool.name for tool in await client.list_tools()][2:] == ["first"]
        assert (await told(client, "first"))["tool"] == "one"
    row = next(line for line in place.run("token", "list").stdout.splitlines() if "narrow" in line)
    assert "mcp__alpha__one" in row
    for wrong in (("--scope", "admin", "--server", "alpha"), ("--scope", "run", "--rename", "x")):
        done = place.run("token", "create", "--name", "wrong", *wrong)
        assert (done.returncode != 0, done.stdout, done.stderr.count("\n")) == (True, "", 1)


def test_each_pending_call_learns_that_the_gateway_has_ended(place: Place) -> None:
    """Issue 5, What 5: nobody waits for an answer that cannot come. Last: it ends the gateway."""
    live = live_of(place)
    bridge = subprocess.Popen(
        [*COMMAND, "stdio", "--server", "alpha"],
        env=place.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert bridge.stdin is not None
    assert bridge.stdout is not None
    assert bridge.stderr is not None
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    for request_id in (1, "two"):
        params = {"name": "wait", "arguments": {}, "_meta": {**meta, "progressToken": 1}}
        asked = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        bridge.stdin.write(json.dumps(asked) + "\n")
        bridge.stdin.flush()
        assert '"progress"' in bridge.stdout.readline()
    os.kill(live.pid, signal.SIGKILL)
    lines = [json.loads(line) for line in bridge.stdout]
    errors = {line["id"]: line["error"] for line in lines if "error" in line}
    assert set(errors) == {1, "two"}
    sentence = f"The gateway at {live.url} (process {live.pid}) has ended."
    assert {error["message"] for error in errors.values()} == {sentence}
    with bridge:
        assert bridge.wait(30) == 1
        assert sentence in bridge.stderr.read()
