"""Servers with packages of their own, made through the tools of a real gateway."""

import json
import os
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gateways import Place, make_place
from tests.e2e.conftest import add_fixed, wait_ready
from tests.package_index import Index, serve_index
from tests.sandboxes.conftest import open_to_all

pytestmark = pytest.mark.timeout(240)

OF_REGISTRIES = ("PATH", "HOME", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "UV_DEFAULT_INDEX")
"""What a gateway of the machine's owner has, beside its own settings."""

OLD = """
# /// script
# dependencies = ["mcp<2"]
# ///
from importlib.metadata import version
from mcp.server.fastmcp import FastMCP
mcp = FastMCP("old")
@mcp.tool()
def library() -> str:
    return version("mcp")
mcp.run()
"""
NEW = """
import os
from importlib.metadata import version
from fastmcp import FastMCP
mcp = FastMCP("new")
@mcp.tool
def library() -> str:
    return version("mcp")
@mcp.tool
def variable(name: str) -> str:
    return os.environ.get(name, "not there")
os.environ.get("OAUTH_SECRET_KEY"), os.getenv("HTTPS_PROXY")
mcp.run()
"""
RAW = """
import json, sys, toy
for line in sys.stdin:
    asked = json.loads(line)
    results = {
        "initialize": {
            "protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
            "serverInfo": {"name": "raw", "version": "1"},
        },
        "tools/list": {"tools": [{"name": "value", "inputSchema": {"type": "object"}}]},
        "tools/call": {"content": [{"type": "text", "text": str(toy.VALUE)}]},
    }
    if "id" in asked:
        answer = {"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}
        print(json.dumps(answer), flush=True)
"""
NODE = """
import isNumber from "is-number";
import { createInterface } from "node:readline";
const tools = [{ name: "check", inputSchema: { type: "object" } }];
const results = {
  "initialize": () => ({ protocolVersion: "2025-11-25", capabilities: { tools: {} },
                         serverInfo: { name: "node", version: "1" } }),
  "tools/list": () => ({ tools }),
  "tools/call": () => ({ content: [{ type: "text", text: String(isNumber("7")) }] }),
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  const result = id !== undefined && results[method]();
  if (result) console.log(JSON.stringify({ jsonrpc: "2.0", id, result }));
}
"""


@dataclass(frozen=True, slots=True)
class OwnersPlace(Place):
    """A home whose gateway knows registries, and has a secret of its own."""

    index: str | None = None
    """The package index; None: the machine's."""

    def env(self) -> dict[str, str]:
        """Return the environment of every command here."""
        # Not super(): a dataclass with slots is another class than the one that stands here.
        env = {**Place.env(self), "OAUTH_SECRET_KEY": "a-secret-of-the-gateway"}
        if self.index is not None:
            return {**env, "UV_DEFAULT_INDEX": self.index}
        return {**{key: os.environ[key] for key in OF_REGISTRIES if key in os.environ}, **env}


def create(place: Place, name: str, code: str, **more: object) -> dict[str, Any]:
    """Return the answer to a new server."""
    arguments = {"name": name, "code": code, **more}
    return place.json("call", "create_mcp_server", json.dumps(arguments))


def ask(place: Place, tool: str, **arguments: object) -> object:
    """Return what a tool of a server answers."""
    order = {"tool": tool, "payload": arguments}
    answer = place.json("call", "invoke_internal_mcp_tool", json.dumps(order))
    return answer["result"] if isinstance(answer, dict) else answer


def environments(place: Place) -> set[str]:
    """Return the names of the environments that are kept."""
    return {path.name for path in (place.home / "environments").iterdir()} - {"cache"}


@pytest.fixture
def index() -> Generator[Index]:
    """An index with one toy package."""
    with serve_index() as served:
        served.add_wheel("toy", "1.0", {"toy.py": "VALUE = 1\n"})
        served.add_wheel("toy", "2.0", {"toy.py": "VALUE = 2\n"})
        yield served


def opened(folder: Path, index: str | None) -> OwnersPlace:
    """Return a place that other users may enter."""
    open_to_all(folder)
    return OwnersPlace(make_place(folder).folder, index)


@pytest.mark.full
def test_servers_for_both_major_versions_of_mcp_live_side_by_side(tmp_path: Path) -> None:
    """Issue; a Node server has its packages; nobody gets a secret of the gateway by its name."""
    place = opened(tmp_path, None)
    command = ["node", "./index.mjs"]
    folder = add_fixed(place, "number", {"command": command, "enabled": bool(shutil.which("npm"))})
    (folder / "index.mjs").write_text(NODE, encoding="utf-8")
    (folder / "package.json").write_text('{"dependencies": {"is-number": "7.0.0"}}', "utf-8")
    with place.gateway() as live:
        wait_ready(live)
        old = create(place, "old", OLD)
        assert (old["ok"], old["server"]["environment"]) == (True, "own"), old
        assert old["server"]["packages"] == ["mcp<2"]
        new = create(place, "new", NEW)
        assert (new["server"]["environment"], new["server"]["packages"]) == ("shipped", [])
        assert new["credentials"][0]["key"] == "OAUTH_SECRET_KEY"
        assert "'HTTPS_PROXY' is refused: it would redirect" in new["message"]
        for name in ("OAUTH_SECRET_KEY", "CLAUDE_RUNNER_HOME", "SSL_CERT_FILE"):
            assert ask(place, "mcp__new__variable", name=name) == "not there"
        assert str(ask(place, "mcp__old__library")).startswith("1.")
        assert str(ask(place, "mcp__new__library")).startswith("2.")
        if shutil.which("npm"):
            assert ask(place, "mcp__number__check") is True


def test_packages_come_change_and_go_with_their_servers(tmp_path: Path, index: Index) -> None:
    """Issue: shared when equal, a clear error, garbage-collected."""
    place = opened(tmp_path, index.url)
    with place.gateway() as live:
        wait_ready(live)
        first = create(place, "first", RAW, dependencies=["toy==1.0"])
        assert first["server"]["state"] == "ready", first
        assert create(place, "second", RAW, dependencies=["toy==1.0"])["ok"]
        (shared,) = environments(place)
        assert first["server"]["environment_mb"] > 0
        assert first["server"]["environment_built_at"].startswith("20")
        assert ask(place, "mcp__second__value") == 1

        wrong = {"name": "first", "dependencies": ["toy==3.0"]}
        refused = place.json("call", "update_mcp_server", json.dumps(wrong))
        assert not refused["ok"]
        assert "there is no version of toy==3.0" in refused["message"]
        assert "there is no version of toy==3.0" in refused["stderr_tail"][-1]
        assert refused["server"]["packages"] == ["toy==1.0"]
        assert ask(place, "mcp__first__value") == 1

        newer = {"name": "first", "dependencies": ["toy==2.0"]}
        assert place.json("call", "update_mcp_server", json.dumps(newer))["ok"]
        assert ask(place, "mcp__first__value") == 2
        assert shared in environments(place)
        place.json("call", "delete_mcp_server", '{"name": "second"}')
        assert shared not in environments(place) and len(environments(place)) == 1

        broken = create(place, "broken", RAW, dependencies=["nothing-of-that-name"])
    assert (broken["ok"], broken["server"]["state"]) == (False, "failed")
    assert "was not found in the package registry" in broken["message"]
    log = (place.folder / "gateway.log").read_text("utf-8")
    assert "first: building its environment: resolving packages" in log
