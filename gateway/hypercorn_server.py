"""Hypercorn's connections behind listeners of our own, and an end that leaves nobody unanswered.

Hypercorn's own end closes what it accepted a moment ago and has not read from yet, and knows
nothing of what the event loop is only about to hand to it.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

import anyio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event, Updated
from hypercorn.typing import ASGIFramework, LifespanState

from gateway.gathering import Gathering
from gateway.http_patience import (
    CANCEL_S,
    CLOSE_GRACE_S,
    FIRST_REQUEST_S,
    KEEP_ALIVE_S,
    NEXT_REQUEST_S,
)
from gateway.listening import BACKLOG

log = logging.getLogger(__name__)


class _Connection(TCPServer):
    """A connection that the server's end closes only when it has been silent for a moment."""

    _heard = False

    async def protocol_send(self, event: Event) -> None:
        """Do what a request or its answer asks for."""
        if isinstance(event, Updated):
            self._heard = True
        await super().protocol_send(event)

    async def _read_data(self) -> None:
        """Hear the caller until it closes; then nothing more is waited for."""
        await super()._read_data()
        await self.idle_task.stop()

    async def _idle_timeout(self) -> None:
        """Close the connection unless a request cancels this: it is begun anew after each one."""
        patience = NEXT_REQUEST_S if self._heard else FIRST_REQUEST_S
        silent_since = self.loop.time()
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self.context.terminated.wait()
                await asyncio.sleep(silent_since + patience - self.loop.time())
        await asyncio.shield(self._initiate_server_close())


class _Gathered(asyncio.StreamReaderProtocol):
    """Sends an answer's head with what is there of its body.

    Hypercorn sends the head alone, and a proxy that is written in Go may close the connection that
    it comes on when it comes before it has looked for the end of the request that it had sent: the
    body is lost then (golang/go 40747). What came with the head is not.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let what one turn of the loop writes go out together."""
        super().connection_made(Gathering(cast(asyncio.Transport, transport)))


class HypercornServer:
    """Serves an application on listening sockets."""

    def __init__(self, app: ASGIFramework) -> None:
        """Nothing is accepted yet."""
        self._app = ASGIWrapper(app)
        self._config = _config()
        self._context = WorkerContext(None)
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(
        self, socks: Sequence[socket.socket], until: Callable[[], Awaitable[object]]
    ) -> None:
        """Accept connections until `until` returns, then answer and end those that are there."""
        loop = asyncio.get_running_loop()
        listeners = [
            await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG) for sock in socks
        ]
        try:
            await until()
        finally:
            for listener in listeners:
                listener.close()
            with anyio.CancelScope(shield=True):
                await self._end()

    def _protocol(self) -> asyncio.StreamReaderProtocol:
        return _Gathered(asyncio.StreamReader(), self._accept)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._attend(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop, state = asyncio.get_running_loop(), cast(LifespanState, {})
        await _Connection(self._app, loop, self._config, self._context, state, reader, writer)

    async def _end(self) -> None:
        # What follows is the last answer of a connection, and says so.
        self._config.keep_alive_max_requests = 0
        await self._context.terminated.set()
        # What was accepted in this turn of the loop becomes a connection in the next.
        await asyncio.sleep(0)
        if not self._connections:
            return
        _, late = await asyncio.wait(self._connections, timeout=CLOSE_GRACE_S)
        for task in late:
            # A caller that has stopped reading would hold up what closes its connection for ever.
            self._connections[task].transport.abort()
            task.cancel()
        if late:
            _, stuck = await asyncio.wait(late, timeout=CANCEL_S)
            if stuck:
                log.error("%d requests do not end though they were cancelled", len(stuck))


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    return config
