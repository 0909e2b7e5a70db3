"""One real gateway for all tests here, and what it has written down."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.client import call_tool, request_local
from gateway.local import LiveGateway
from tests.cli.gateways import Place, make_place
from tests.tools.conftest import write_server
from tests.tools.servers import server_code

CREDENTIAL = "canary/of+the credential äß 4711"
VALUE = "canary-of-an-argument-0815"

TOOLS = {
    "send": {"type": "object", "properties": {"to": {"type": "string"}}},
    "fail": {"type": "object"},
    "die": {"type": "object"},
    "hang": {"type": "object"},
    "leak": {"type": "object"},
}
BODY = """
if name == "die":
    os._exit(3)
if name == "hang":
    import time
    while True:
        time.sleep(1)
if name == "leak":
    leak(os.environ["API_KEY"])
return {"content": [{"type": "text", "text": json.dumps(arguments)}], "isError": name == "fail"}
"""
LEAK = """
import base64, json, sys
from urllib.parse import quote

def say(data):
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()

def leak(value):
    data = value.encode()
    spelled = [data, quote(value).encode(), quote(value, safe="").encode(), data.hex().encode()]
    spelled += [json.dumps(value).encode(), repr(value).encode()]
    spelled += [base64.b64encode(b"x" * n + data) for n in range(3)]
    spelled += [base64.urlsafe_b64encode(b"~" + data)]
    for each in spelled:
        half = len(each) // 2
        say(b"whole: " + each + b"\\n")
        say(b"two writes: " + each[:half])
        say(each[half:] + b"\\n")
        say(b"two lines: " + each[:half] + b"\\n")
        say(each[half:] + b"\\n")
    say(b"the end\\n")
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A running gateway with one server `x`, which has a credential."""

    place: Place
    live: LiveGateway

    def call(self, path: str, tool: str, /, **arguments: object) -> Any:
        """Return the result of a tool at an endpoint."""
        return call_tool(self.live, path, tool, arguments)

    def entries(self, **asked: str) -> list[dict[str, Any]]:
        """Return entries of the audit log as the command line gets them."""
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return request_local(self.live, "GET", f"audit?{query}")["entries"]

    def last(self) -> int:
        """Return the number of the newest entry."""
        return max((entry["number"] for entry in self.entries(limit="1")), default=0)

    def written(self) -> dict[str, bytes]:
        """Return every file that the gateway wrote, and its log."""
        home = self.place.home
        files = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
        files.append(self.place.folder / "gateway.log")
        return {str(path): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A gateway whose server was called once, so that it is ready."""
    folder: Path = tmp_path_factory.mktemp("audit")
    place = make_place(folder)
    code = server_code(TOOLS, BODY, before=LEAK)
    write_server(folder / "dynamic", "x", code, credentials=["API_KEY"])
    with place.gateway(SANDBOX="off", LONG_CALL_S="0.2") as live:
        stage = Stage(place, live)
        given = json.dumps({"server": "x", "key": "API_KEY", "value": CREDENTIAL})
        place.json("call", "set_server_credential", "-", given=given)
        stage.call("/mcp", "enable_mcp_server", name="x")
        yield stage
