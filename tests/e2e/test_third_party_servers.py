"""Five servers that nobody here wrote, as fixed servers, in both eras, through both endpoints."""

import socketserver
import subprocess
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from mcp_types import TextContent

from gateway.local import LiveGateway
from tests.cli.gateways import make_place
from tests.e2e.conftest import add_fixed, client, wait_ready
from tests.toolchain import Toolchain

pytestmark = pytest.mark.timeout(240)

MODES = {"auto": "2026-07-28", "legacy": "2025-11-25"}
PAGE = b"<html><body><h1>Fetched</h1><p>through the gateway</p></body></html>"


class Page(BaseHTTPRequestHandler):
    """Answers every GET with one page."""

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def page() -> Generator[str]:
    """The address of a page on loopback."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository with one commit, readable by every user."""
    folder = tmp_path_factory.mktemp("granted") / "repository"
    run = ("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(folder))
    subprocess.run(("git", "init", "-q", str(folder)), check=True)
    (folder / "file.txt").write_text("content\n", encoding="utf-8")
    subprocess.run((*run, "add", "."), check=True)
    subprocess.run((*run, "commit", "-qm", "First commit"), check=True)
    for part in (folder, *folder.rglob("*")):
        part.chmod(0o755 if part.is_dir() else 0o644)
    return folder


@pytest.fixture(scope="module")
def live(
    tmp_path_factory: pytest.TempPathFactory, toolchain: Toolchain, repository: Path
) -> Generator[LiveGateway]:
    """A gateway with the five servers."""
    place = make_place(tmp_path_factory.mktemp("five"))
    data = place.home / "servers" / "filesystem" / "data"
    tools = [str(path) for path in toolchain.read_only]
    metadata: dict[str, dict[str, object]] = {
        "time": {"arguments": ()},
        "git": {"arguments": (), "read_only": [*tools, str(repository)]},
        "fetch": {"arguments": ("--ignore-robots-txt", "--allow-private-ips"), "network": "full"},
        "everything": {"arguments": ()},
        "filesystem": {"arguments": (str(data),)},
    }
    for name, given in metadata.items():
        arguments = given.pop("arguments")
        assert isinstance(arguments, tuple)
        command = [*toolchain.command(name), *arguments]
        add_fixed(place, name, {"command": command, "read_only": tools, **given})
    with place.gateway() as live:
        wait_ready(live)
        yield live


def calls(page: str, repository: Path, live_home: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return one call for each server, and what its answer must hold."""
    file = str(live_home / "servers" / "filesystem" / "data" / "note.txt")
    return {
        "time": ("get_current_time", {"timezone": "Europe/Berlin"}),
        "git": ("git_log", {"repo_path": str(repository)}),
        # Where Node is installed, its conversion to text would run npm inside its own package.
        "fetch": ("fetch", {"url": page, "raw": True}),
        "everything": ("echo", {"message": "hello"}),
        "filesystem": ("write_file", {"path": file, "content": "kept"}),
    }


EXPECTED = {
    "time": "Europe/Berlin",
    "git": "First commit",
    "fetch": "through the gateway",
    "everything": "Echo: hello",
    "filesystem": "Successfully wrote",
}


def text_of(content: object) -> str:
    """Return the text of a result's first block."""
    assert isinstance(content, list)
    block = content[0]
    assert isinstance(block, TextContent)
    return block.text


async def list_and_call(session: Client[Any], tool: str, arguments: dict[str, Any]) -> str:
    """Return what a tool answers, once it was found in the list."""
    assert tool in {each.name for each in await session.list_tools()}
    return text_of((await session.call_tool(tool, arguments)).content)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("server", EXPECTED)
async def test_a_server_lists_and_answers_at_its_own_endpoint(
    live: LiveGateway, page: str, repository: Path, server: str, mode: str
) -> None:
    """Issue: driven by the real fastmcp Client in both protocol eras."""
    tool, arguments = calls(page, repository, home_of(live))[server]
    async with client(live, f"/servers/{server}/mcp", mode) as session:
        assert session.session.protocol_version == MODES[mode]
        assert EXPECTED[server] in await list_and_call(session, tool, arguments)


@pytest.mark.parametrize("mode", MODES)
async def test_every_server_is_listed_and_answers_through_the_management_endpoint(
    live: LiveGateway, page: str, repository: Path, mode: str
) -> None:
    """Issue: list and answer through /mcp (invoke)."""
    async with client(live, "/mcp", mode) as session:
        listed = (await session.call_tool("list_fixed_mcp_servers", {})).structured_content
        assert listed is not None
        found = {s["name"]: (s["state"], s["reason"]) for s in listed["servers"]}
        assert found == dict.fromkeys(EXPECTED, ("ready", ""))
        for server, (tool, arguments) in calls(page, repository, home_of(live)).items():
            payload = {"tool": f"mcp__{server}__{tool}", "payload": arguments}
            result = await session.call_tool("invoke_internal_mcp_tool", payload)
            assert EXPECTED[server] in text_of(result.content)


async def test_prompts_and_resources_of_a_child_pass_in_both_eras(live: LiveGateway) -> None:
    """Ours: the relay knows no list of methods."""
    for mode in MODES:
        async with client(live, "/servers/everything/mcp", mode) as session:
            prompts = await session.list_prompts()
            assert prompts
            resources = await session.list_resources()
            assert await session.read_resource(str(resources[0].uri))
            assert (await session.get_prompt("simple-prompt")).messages


def home_of(live: LiveGateway) -> Path:
    """Return the home of a gateway by its process's environment."""
    environment = Path(f"/proc/{live.pid}/environ").read_bytes().split(b"\0")
    name = b"CLAUDE_RUNNER_HOME="
    return next(Path(v.removeprefix(name).decode()) for v in environment if v.startswith(name))
