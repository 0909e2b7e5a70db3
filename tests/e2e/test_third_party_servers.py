"""Seven servers that nobody here wrote, with the clients that nobody here wrote, in both eras."""

import base64
import json
import struct
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from httpx2 import AsyncClient
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult, ImageContent, TextContent

from gateway.local import LiveGateway
from tests.cli.gateways import Place, make_place
from tests.e2e.conftest import READY_S, wait_ready
from tests.e2e.conftest import client as fastmcp_client
from tests.e2e.third_party import (
    ANSWER,
    STEPS,
    Errand,
    Outside,
    add_servers,
    errands,
    make_repository,
    serve_page,
)
from tests.toolchain import Toolchain

pytestmark = pytest.mark.timeout(240)

MODES = {"auto": "2026-07-28", "legacy": "2025-11-25"}
SERVERS = ("time", "git", "fetch", "everything", "filesystem", "memory", "playwright")
TYPESCRIPT = {**MODES, "v1": MODES["legacy"]}
"""The newest client in either era, and the last of the generation before."""
CLIENT_S = 120.0
AT_ONCE = 2
"""Processes of the inspector: the machine may have no more processors."""
PNG = b"\x89PNG\r\n\x1a\n"


async def answer(context: object, params: object) -> ElicitResult:
    """Answer what a server asks its user."""
    return ElicitResult(action="accept", content=dict(ANSWER))


@dataclass(frozen=True, slots=True)
class Street:
    """A gateway with all seven servers, and what they are asked."""

    live: LiveGateway
    place: Place
    outside: Outside

    @property
    def errands(self) -> dict[str, Errand]:
        """What each server is asked."""
        return errands(self.place, self.outside)

    def url(self, server: str) -> str:
        """Return a server's endpoint."""
        return f"{self.live.url}/servers/{server}/mcp"

    @asynccontextmanager
    async def client(self, server: str, mode: str) -> AsyncGenerator[Client]:
        """Connect the official Python client in one era, with a user who answers questions."""
        headers = {"Authorization": f"Bearer {self.live.token}"}
        async with AsyncClient(headers=headers, timeout=READY_S, trust_env=False) as http:
            transport = streamable_http_client(self.url(server), http_client=http)
            async with Client(transport, mode=mode, elicitation_callback=answer) as session:
                yield session


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain) -> Generator[Street]:
    """One gateway for all tests here."""
    place = make_place(tmp_path_factory.mktemp("seven"))
    repository = make_repository(tmp_path_factory.mktemp("granted") / "repository")
    with serve_page() as page:
        outside = Outside(page, repository)
        add_servers(place, toolchain, outside)
        with place.gateway() as live:
            wait_ready(live)
            yield Street(live, place, outside)


def text_of(content: Any) -> str:
    """Return the texts of a result's blocks."""
    return "".join(block.text for block in content if isinstance(block, TextContent))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("server", SERVERS)
async def test_the_official_python_client_lists_and_calls(
    street: Street, server: str, mode: str
) -> None:
    """Issue: each of them with the official Python client, in both protocol eras."""
    errand = street.errands[server]
    async with street.client(server, mode) as session:
        assert session.protocol_version == MODES[mode]
        assert errand.tool in {tool.name for tool in (await session.list_tools()).tools}
        result = await session.call_tool(errand.tool, dict(errand.arguments))
    assert errand.expected in text_of(result.content)


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_python_client_reads_is_prompted_and_asked_and_hears_progress(
    street: Street, mode: str
) -> None:
    """Issue: all of MCP, whatever the era of caller and child."""
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with street.client("everything", mode) as session:
        resources = (await session.list_resources()).resources
        assert (await session.read_resource(resources[0].uri)).contents
        assert (await session.get_prompt("simple-prompt")).messages
        errand = street.errands["everything"]
        slow, asking = errand.slow, errand.asking
        assert slow is not None
        assert asking is not None
        assert ANSWER["name"] in text_of((await session.call_tool(asking)).content)
        await session.call_tool(slow["tool"], slow["arguments"], progress_callback=hear)
    assert heard == list(range(1, STEPS + 1))


@pytest.mark.parametrize("kind", TYPESCRIPT)
def test_the_official_typescript_client_can_use_them_all_at_once(
    street: Street, toolchain: Toolchain, kind: str
) -> None:
    """Issue: list, call, read, prompt and progress with the official TypeScript client."""
    visits = {name: errand.at(street.url(name)) for name, errand in street.errands.items()}
    request = {"client": kind, "token": street.live.token, "visits": visits}
    done = subprocess.run(
        toolchain.typescript_client,
        input=json.dumps(request),
        capture_output=True,
        encoding="utf-8",
        timeout=CLIENT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    for name, errand in street.errands.items():
        assert seen[name]["version"] == TYPESCRIPT[kind]
        assert errand.tool in seen[name]["tools"]
        assert errand.expected in seen[name]["called"]
        assert not errand.resources or seen[name]["read"]
        assert errand.prompt is None or errand.prompt["name"] in seen[name]["prompts"]
        assert errand.prompt is None or seen[name]["prompt"]
        assert errand.asking is None or ANSWER["name"] in seen[name]["asked"]
        assert seen[name]["progress"] == (list(range(1, STEPS + 1)) if errand.slow else [])


async def test_the_inspectors_command_line_lists_and_calls(
    street: Street, toolchain: Toolchain, tmp_path: Path
) -> None:
    """Issue: the inspector's command line through the relay."""
    headers = {"Authorization": f"Bearer {street.live.token}"}
    entries = {
        name: {"type": "streamable-http", "url": street.url(name), "headers": headers}
        for name in SERVERS
    }
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": entries}), encoding="utf-8")
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def inspect(server: str, *arguments: str) -> Any:
        chosen = ("--config", str(config), "--server", server)
        command = [*toolchain.inspector, *chosen, *arguments]
        run = partial(subprocess.run, command, capture_output=True, timeout=CLIENT_S, check=False)
        done = await to_thread.run_sync(run, limiter=limiter)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    async def visit(server: str, errand: Errand) -> None:
        given = [f"{name}={json.dumps(value)}" for name, value in errand.arguments.items()]
        calling = ("--method", "tools/call", "--tool-name", errand.tool)
        called = await inspect(server, *calling, "--tool-arg", *given)
        assert errand.expected in "".join(each["text"] for each in called["content"])

    async with anyio.create_task_group() as group:
        for server, errand in street.errands.items():
            group.start_soon(visit, server, errand)
    listed = await inspect("everything", "--method", "tools/list")
    assert "echo" in {tool["name"] for tool in listed["tools"]}


@pytest.mark.parametrize("mode", MODES)
async def test_every_server_is_listed_and_answers_through_the_management_endpoint(
    street: Street, mode: str
) -> None:
    """Issue: list and answer through /mcp (invoke), by the real fastmcp Client."""
    async with fastmcp_client(street.live, "/mcp", mode) as session:
        listed = (await session.call_tool("list_fixed_mcp_servers", {})).structured_content
        assert listed is not None
        found = {s["name"]: (s["state"], s["reason"]) for s in listed["servers"]}
        assert found == dict.fromkeys(SERVERS, ("ready", ""))
        for server, errand in street.errands.items():
            payload = {"tool": f"mcp__{server}__{errand.tool}", "payload": dict(errand.arguments)}
            result = await session.call_tool("invoke_internal_mcp_tool", payload)
            assert errand.expected in text_of(result.content)


async def test_the_browser_shows_its_page_as_a_picture(street: Street) -> None:
    """Issue: playwright MCP driving Debian's Chromium in the strong sandbox, without a network."""
    errand = street.errands["playwright"]
    async with street.client("playwright", "auto") as session:
        await session.call_tool(errand.tool, dict(errand.arguments))
        shot = await session.call_tool("browser_take_screenshot", {})
    (image,) = (block for block in shot.content if isinstance(block, ImageContent))
    picture = base64.b64decode(image.data)
    assert picture.startswith(PNG)
    width, height = struct.unpack(">II", picture[16:24])
    assert width >= 640 and height >= 480
