"""Edits that break a server in every way: the old code serves on, and the report has the cause."""

import json
import random
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_types import CallToolResult

from tests.cli.gateways import Place, make_place
from tests.demonstrations import Counts, Demonstrations
from tests.e2e.conftest import client, wait_ready

pytestmark = pytest.mark.timeout(1800)

START_TIMEOUT_S = 15

CODE = '''\
from fastmcp import FastMCP

NUMBER = {number}
mcp = FastMCP("numbered")


@mcp.tool
def number(times: int = 1) -> int:
    """Return the number of this code."""
    return NUMBER * times


if __name__ == "__main__":
    mcp.run()
'''
ANSWER = '{{"jsonrpc": "2.0", "id": 1, "result": {result}}}'
SPEAKS = "import sys\nfor line in sys.stdin:\n    print({answer!r}, flush=True)\n"

BROKEN = {
    "syntax": ("x = 1\ndef f(:\n", ("line 2", "invalid syntax")),
    "exception": ("x = 1\nraise ValueError('boom')\n", ("line 2", "ValueError: boom")),
    "missing module": ("import no_such_module_here\n", ("No module named 'no_such_module_here'",)),
    "exit": ("import os\nos._exit(3)\n", ("exit code 3",)),
    "clean exit": ("raise SystemExit(0)\n", ("exit code 0",)),
    "signal": ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", ("SIGSEGV",)),
    "hang": ("import time\ntime.sleep(3600)\n", (f"within {START_TIMEOUT_S} s",)),
    "endless line": (
        "import os\nwhile True:\n    os.write(1, b'x' * 65536)\n",
        ("a line of more",),
    ),
    "endless lines": ("while True:\n    print('junk')\n", ("that are not MCP",)),
    "endless errors": (
        "import os\nwhile True:\n    os.write(2, b'noise\\n' * 999)\n",
        (f"within {START_TIMEOUT_S} s",),
    ),
    "memory": ("x = bytearray(64 << 30)\n", ("MemoryError",)),
    "no tools": ("from fastmcp import FastMCP\nmcp = FastMCP('x')\n", ("has no tools",)),
    "no server": ("x = 1\n", ("@mcp.tool",)),
    "wrong protocol": (
        SPEAKS.format(answer=ANSWER.format(result='{"protocolVersion": 7}')),
        ("does not speak MCP",),
    ),
    "wrong lists": (
        SPEAKS.format(answer="[]"),
        ("not MCP",),
    ),
}
SAMPLE = ("syntax", "exit", "no tools", "endless lines", "wrong protocol")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A home with one server that answers with the number of its code."""
    place = make_place(tmp_path)
    folder = tmp_path / "dynamic" / "numbered"
    folder.mkdir()
    (folder / "server.py").write_text(CODE.format(number=1), encoding="utf-8")
    metadata = {"start_timeout_s": START_TIMEOUT_S}
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return place


async def update(caller: Client[StreamableHttpTransport], code: str) -> CallToolResult:
    """Give the server new code."""
    arguments = {"name": "numbered", "code": code}
    return await caller.call_tool_mcp("update_mcp_server", arguments)


def taken(answer: CallToolResult) -> bool:
    """True when the server runs the new code."""
    return bool(answer.structured_content and answer.structured_content["ok"])


async def number(caller: Client[StreamableHttpTransport]) -> object:
    """Return what the server's tool answers now."""
    arguments = {"tool": "mcp__numbered__number", "payload": {}}
    answer = await caller.call_tool("invoke_internal_mcp_tool", arguments)
    return answer.structured_content


async def test_every_broken_edit_is_named_and_harms_nobody(
    place: Place, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue: the old generation always serves; every report names the true cause."""
    chosen = [name for name in BROKEN if counts(0, 1) or name in SAMPLE]
    with place.gateway() as live:
        wait_ready(live)
        async with client(live, "/mcp", "auto") as caller:
            before = await number(caller)
            for name in chosen:
                code, causes = BROKEN[name]
                answer = await update(caller, code)
                told = answer.model_dump_json()
                assert not taken(answer), name
                assert [cause for cause in causes if cause not in told] == [], told
                assert (name, await number(caller)) == (name, before)
    demonstrations.record("Broken edits named, old code serving", len(chosen), "every one")


async def test_random_edits_are_taken_whole_or_not_at_all(
    place: Place, counts: Counts, demonstrations: Demonstrations
) -> None:
    """Issue: fuzzed edits; what serves is the last code that was accepted."""
    luck = random.Random(4)  # noqa: S311 - repeats the same edits
    accepted = 0
    rounds = counts(1, 150)
    with place.gateway() as live:
        wait_ready(live)
        async with client(live, "/mcp", "auto") as caller:
            for _ in range(rounds):
                serving = await number(caller)
                answer = await update(caller, garbled(CODE.format(number=1), luck))
                if taken(answer):
                    accepted += 1
                    assert taken(await update(caller, CODE.format(number=1)))
                assert await number(caller) == serving
    demonstrations.record(
        "Randomly garbled edits", rounds, f"{accepted} still ran, no other served"
    )


def garbled(code: str, luck: random.Random) -> str:
    """Return the code with a piece of it removed, repeated or moved."""
    start = luck.randrange(len(code))
    end = min(len(code), start + luck.choice((1, 3, 20, 200)))
    rest = code[:start] + code[end:]
    at = luck.randrange(len(rest) + 1)
    match luck.randrange(3):
        case 0:
            return rest
        case 1:
            return code[:end] + code[start:]
        case _:
            return rest[:at] + code[start:end] + rest[at:]
