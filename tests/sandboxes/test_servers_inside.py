"""Real MCP servers start and answer inside a sandbox."""

import json
import shutil
import subprocess
import textwrap
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandboxes import launch
from sandboxes.policy import Limits
from tests.sandboxes.conftest import Room
from tests.toolchain import Toolchain

FASTMCP = """
from fastmcp import FastMCP
mcp = FastMCP("adder")

@mcp.tool
def add(a: int, b: int) -> int:
    (DATA_DIR / "sums").write_text(str(a + b))
    return a + b

if __name__ == "__main__":
    mcp.run(show_banner=False)
"""
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Talk:
    """A conversation with one child, line by line; the test's time limit is its guard."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._id = 0

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its result."""
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        assert self._process.stdout
        for line in self._process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._id and "method" not in answer:
                return answer["result"]
        raise AssertionError(f"the server ended without answering {method}")

    def begin(self) -> str:
        """Initialise and return the server's name."""
        name = self.ask("initialize", INITIALIZE)["serverInfo"]["name"]
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return name

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()


def start(ready: launch.Launch) -> "subprocess.Popen[str]":
    """Start a server with pipes for a conversation."""
    return subprocess.Popen(
        ready.argv,
        env=dict(ready.env),
        cwd=ready.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def tools_of(room: Room, command: tuple[str, ...], *read_only: Path) -> set[str]:
    """The names of the tools of a program that is no Python server of ours."""
    policy = room.policy(limits=Limits(address_space_bytes=None), read_only=read_only)
    with start(room.prepare(command, policy=policy)) as process:
        talk = Talk(process)
        talk.begin()
        tools = talk.ask("tools/list", {})["tools"]
        assert process.stdin
        process.stdin.close()
    return {tool["name"] for tool in tools}


def test_fastmcp_server_answers_and_writes_its_data(strong: Room) -> None:
    """Ours: what most servers are."""
    with start(strong.prepare(strong.command(FASTMCP))) as process:
        talk = Talk(process)
        assert talk.begin() == "adder"
        result = talk.ask("tools/call", {"name": "add", "arguments": {"a": 2, "b": 40}})
        assert result["structuredContent"] == {"result": 42}
        assert process.stdin
        process.stdin.close()
    assert (strong.data / "sums").read_text(encoding="utf-8") == "42"


def test_node_program_starts(strong: Room) -> None:
    """Ours: any command, not only Python."""
    node = shutil.which("node", path="/usr/bin:/usr/local/bin")
    if node is None:
        pytest.skip("Node is not installed in a system folder")
    policy = strong.policy(limits=Limits(address_space_bytes=None))
    script = strong.write("").with_name("server.js")
    script.write_text(
        textwrap.dedent(
            """
            const {execFileSync} = require('child_process');
            require('fs').writeFileSync(process.env.DATA_DIR + '/made', 'by node');
            console.log(execFileSync('/bin/echo', ['grandchild']).toString().trim(), process.pid);
            """
        ),
        encoding="utf-8",
    )
    ready = strong.prepare((node, str(script)), policy=policy)
    with start(ready) as process:
        assert process.stdout
        assert process.stdout.read() == "grandchild 2\n"
    assert (strong.data / "made").read_text(encoding="utf-8") == "by node"


@pytest.mark.parametrize(
    ("server", "tool"),
    [("time", "get_current_time"), ("fetch", "fetch"), ("everything", "echo")],
)
def test_server_that_nobody_here_wrote_lists_its_tools(
    strong: Room, toolchain: Toolchain, server: str, tool: str
) -> None:
    """Ours: published servers work under the tightest level."""
    assert tool in tools_of(strong, toolchain.command(server), *toolchain.read_only)


def test_filesystem_server_works_on_its_data_folder(strong: Room, toolchain: Toolchain) -> None:
    """Ours: the folder it serves is the folder it was given."""
    command = (*toolchain.command("filesystem"), str(strong.data))
    assert "read_text_file" in tools_of(strong, command, *toolchain.read_only)


def test_git_server_reads_a_granted_repository(strong: Room, toolchain: Toolchain) -> None:
    """Ours: a granted folder is there at its own path."""
    repository = strong.code.parent / "repository"
    subprocess.run(["git", "init", "--quiet", str(repository)], check=True)
    (repository / "new").touch()
    base = strong.policy(read_only=(repository, *toolchain.read_only))
    policy = replace(base, limits=Limits(address_space_bytes=None))
    command = (*toolchain.command("git"), "--repository", str(repository))
    with start(strong.prepare(command, policy=policy)) as process:
        talk = Talk(process)
        talk.begin()
        arguments = {"repo_path": str(repository)}
        result = talk.ask("tools/call", {"name": "git_status", "arguments": arguments})
        assert process.stdin
        process.stdin.close()
    assert "new" in json.dumps(result)
