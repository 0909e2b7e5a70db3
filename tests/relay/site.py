"""A small application behind either HTTP server."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from gateway.http_server import serve_http
from gateway.listening import listen, url_of
from gateway.relay.http import (
    Receive,
    Scope,
    Send,
    end_stream,
    read_body,
    send_body,
    send_event,
    start_stream,
)
from gateway.variables import HttpServer
from tests.supervisor.conftest import GUARD_S

KINDS = tuple(HttpServer)
PART_BYTES = 1024 * 1024
PARTS = 100
"""More than both ends of a connection hold for a reader that has stopped."""


@dataclass
class Site:
    """A small application behind an HTTP server."""

    port: int = 0
    gone: anyio.Event = field(default_factory=anyio.Event)
    """Set when the caller of `/wait` has gone."""
    stop: anyio.Event = field(default_factory=anyio.Event)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say what was asked, send much, or stream until the caller is gone or the end comes."""
        if scope["type"] == "lifespan":
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == "/wait":
            await read_body(receive)
            await start_stream(send)
            await send_event(send, b"1")
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone.set()
        elif scope["path"] == "/stop":
            await start_stream(send)
            await send_event(send, b"1")
            await self.stop.wait()
            await end_stream(send)
        elif scope["path"] == "/much":
            await start_stream(send)
            for _ in range(PARTS):
                await send_event(send, b"." * PART_BYTES)
            await end_stream(send)
        else:
            said = {
                "method": scope["method"],
                "path": scope["path"],
                "scheme": scope["scheme"],
                "client": scope["client"][0],
                "headers": sorted(name.decode() for name, _ in scope["headers"]),
                "body": len(await read_body(receive)),
            }
            await send_body(send, 200, json.dumps(said).encode())

    async def talk(self, *parts: bytes, ends: bool = False) -> bytes:
        """Return everything that is answered to these bytes; `ends`: we send no more after them."""
        with anyio.fail_after(GUARD_S):
            async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
                for part in parts:
                    await stream.send(part)
                if ends:
                    await stream.send_eof()
                answer = b""
                async for data in stream:
                    answer += data
                return answer


@asynccontextmanager
async def open_site(kind: HttpServer) -> AsyncGenerator[Site]:
    """Serve the application; leaving ends it as the gateway ends."""
    site = Site()
    with listen("127.0.0.1", 0) as sock:
        site.port = int(url_of(sock).rpartition(":")[2])
        async with anyio.create_task_group() as group:
            group.start_soon(serve_http, kind, site.app, [sock], site.stop.wait)
            yield site
            site.stop.set()
