"""Adds a bearer token to each request on its way, for clients that can send none of their own."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import anyio

LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
CHUNK = 65536


@asynccontextmanager
async def add_bearer(url: str, token: str) -> AsyncGenerator[str]:
    """Yield the address under which the server at `url` is reached with the token.

    Nothing else is touched: bodies, streams, closed connections and all other headers pass.
    """
    target = urlsplit(url)
    header = f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, onward = await asyncio.open_connection(target.hostname, target.port)
        async with anyio.create_task_group() as both:
            both.start_soon(_copy, answers, writer)
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await _pass_requests(reader, onward, header)
            onward.close()

    async with anyio.create_task_group() as connections:

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.start_soon(carry, reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        connections.cancel_scope.cancel()


async def _pass_requests(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, header: bytes
) -> None:
    """Pass request after request; raises IncompleteReadError when the client is gone."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        found = LENGTH.search(head)
        body = await reader.readexactly(int(found[1])) if found else b""
        writer.write(head.removesuffix(b"\r\n\r\n") + header + body)
        await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    # The server has ended the connection: so does the client's end of it.
    writer.close()
