"""A gateway whose packages come from an index on loopback, as a company's mirror would be set."""

import json
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cli.gateways import Place, make_place
from tests.cli.shell import Shell
from tests.package_index import Index, serve_index

PYTHON = """
import json, sys

TOOLS = {tools!r}

def main():
    for line in sys.stdin:
        asked = json.loads(line)
        results = {{
            "initialize": {{
                "protocolVersion": "2025-11-25", "capabilities": {{"tools": {{}}}},
                "serverInfo": {{"name": "toy", "version": "1"}},
            }},
            "tools/list": {{"tools": [
                {{"name": name, "description": text, "inputSchema": {{"type": "object"}}}}
                for name, text in TOOLS.items()
            ]}},
            "tools/call": {{"content": [{{"type": "text", "text": " ".join(sys.argv[1:])}}]}},
        }}
        if "id" in asked:
            answer = {{"jsonrpc": "2.0", "id": asked["id"], "result": results[asked["method"]]}}
            print(json.dumps(answer), flush=True)
"""
NODE = """
import { createInterface } from "node:readline";
const results = {
  "initialize": { protocolVersion: "2025-11-25", capabilities: { tools: {} },
                  serverInfo: { name: "node", version: "1" } },
  "tools/list": { tools: [{ name: "check", inputSchema: { type: "object" } }] },
};
for await (const line of createInterface({ input: process.stdin })) {
  const { id, method } = JSON.parse(line);
  if (results[method]) console.log(JSON.stringify({ jsonrpc: "2.0", id, result: results[method] }));
}
"""


@dataclass(frozen=True, slots=True)
class Market:
    """An index, and a gateway that is set to it."""

    index: Index
    shell: Shell

    @property
    def place(self) -> Place:
        """Its folders."""
        return self.shell.place

    def add(self, *words: str) -> Any:
        """Return what `servers add` shows."""
        return json.loads(self.shell.text("servers", "add", "--json", *words))

    def add_python(self, version: str, tools: dict[str, str]) -> None:
        """Publish a version of the package `toy`, whose program `toy-serve` is a server."""
        self.add_code(version, PYTHON.format(tools=tools))

    def add_code(self, version: str, code: str) -> None:
        """Publish a version of the package `toy` with this code."""
        points = "[console_scripts]\ntoy-serve = toy:main\n"
        name = f"toy-{version}.dist-info/entry_points.txt"
        self.index.add_wheel("toy", version, {"toy.py": code, name: points})


@pytest.fixture(scope="package")
def market(tmp_path_factory: pytest.TempPathFactory) -> Generator[Market]:
    """A gateway without confinement: that builds are confined is shown elsewhere."""
    place = make_place(tmp_path_factory.mktemp("market"))
    with serve_index() as index:
        set_to = {"UV_DEFAULT_INDEX": index.url, "npm_config_registry": index.registry}
        with place.gateway(SANDBOX="off", UV_HTTP_RETRIES="0", **set_to):
            yield Market(index, Shell(place))
