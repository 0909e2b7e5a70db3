"""What a warm process runs once: a whole session of a server, so that no child pays for it.

Runs in the interpreter of the servers, in an outer layer without any other file of the gateway,
which never imports it. Nothing in here comes from a user.
"""

import asyncio
import concurrent.futures
import contextlib
import json
import logging.handlers
import multiprocessing
import os
import sys
from typing import Any

import anyio._backends._asyncio as backend
import fastmcp

PRELOADED = (backend, concurrent.futures, logging.handlers, multiprocessing)
CLIENT = {"name": "rehearsal", "version": "1"}
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "initialize",
        {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT},
    ),
    ("tools/list", {}),
    ("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}),
    ("tools/call", {"name": "collect", "arguments": {"text": "x"}}),
)
READ_BYTES = 65536


def server() -> fastmcp.FastMCP:
    """Return a server with the usual kinds of tools."""
    made = fastmcp.FastMCP("rehearsal")

    @made.tool
    def add(a: int, b: int = 0) -> int:
        """Add."""
        return a + b

    @made.tool
    async def collect(
        text: str, pairs: dict[str, Any] | None = None, names: list[str] | None = None
    ) -> dict[str, Any]:
        """Collect."""
        return {"text": text, "pairs": pairs, "names": names}

    @made.resource("rehearsal://text")
    def text() -> str:
        """Read."""
        return "x"

    return made


def session() -> bytes:
    """Return what a client would send."""
    lines = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(REQUESTS)
    ]
    lines.insert(1, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def play(requests_in: int, answers: int) -> None:
    """Serve until every request is answered."""
    serving = asyncio.ensure_future(server().run_async(show_banner=False))
    loop = asyncio.get_running_loop()
    seen = 0
    while seen < len(REQUESTS):
        seen += (await loop.run_in_executor(None, os.read, answers, READ_BYTES)).count(b"\n")
    # The thread that reads standard input ends with it, and only then can a fork be made.
    os.close(requests_in)
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def rehearse() -> None:
    """Put pipes in the place of standard input and output, and play the session on them."""
    requests, requests_in = os.pipe()
    answers, answers_in = os.pipe()
    kept = os.dup(0), os.dup(1)
    os.write(requests_in, session())
    os.dup2(requests, 0)
    os.dup2(answers_in, 1)
    try:
        asyncio.run(play(requests_in, answers))
    finally:
        os.dup2(kept[0], 0)
        os.dup2(kept[1], 1)
        for descriptor in (requests, answers, answers_in, *kept):
            os.close(descriptor)
    if sys.version_info < (3, 14):
        # As at the start of an interpreter: asyncio.run leaves "no loop here" behind.
        asyncio.set_event_loop_policy(None)  # pyright: ignore[reportDeprecated] - see the line above


rehearse()
