"""The HTTP servers that our applications can sit behind; they behave alike on both.

Signals, start-up and end of the applications are not theirs: whoever serves takes care of them.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import anyio
import uvicorn
from hypercorn.typing import ASGIFramework

from gateway.http_patience import CLOSE_GRACE_S, FIRST_REQUEST_S, KEEP_ALIVE_S
from gateway.hypercorn_server import HypercornServer
from gateway.listening import BACKLOG
from gateway.relay.begun import Begin
from gateway.uvicorn_protocols import HttpProtocol, NoWebSocket
from gateway.variables import HttpServer

Asgi = Callable[[Any, Any, Any], Awaitable[None]]

LOOK_EVERY_S = 1.0
"""For silent connections of Uvicorn's."""
LOOK_AT_END_EVERY_S = 0.02


async def serve_http(
    chosen: HttpServer,
    app: Asgi,
    socks: Sequence[socket.socket],
    until: Callable[[], Awaitable[object]],
    begin: Begin | None = None,
) -> None:
    """Serve an application on listening sockets, which are used up, until `until` returns.

    Whoever was let in by then is answered. `begin` may take a request before it becomes the
    application's, where the server can do that.
    """
    if chosen is HttpServer.UVICORN:
        await _serve_by_uvicorn(app, socks, until, begin)
    else:
        await HypercornServer(cast(ASGIFramework, app)).serve(socks, until)


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own reaction to signals, and with patience for who was just let in."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to the gateway."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept nothing more, hear the connections that may be about to ask, then end them."""
        for listener in self.servers:
            listener.close()
        # What was accepted in this turn of the loop becomes a connection in the next.
        await asyncio.sleep(0)
        with anyio.move_on_after(FIRST_REQUEST_S):
            await self._silence()
        await super().shutdown(sockets)

    async def _silence(self) -> None:
        while True:
            if not any(connection.may_be_asking() for connection in self.connections()):
                return
            await anyio.sleep(LOOK_AT_END_EVERY_S)

    def connections(self) -> list[HttpProtocol]:
        """Return those that are open."""
        return [each for each in self.server_state.connections if isinstance(each, HttpProtocol)]


async def _serve_by_uvicorn(
    app: Asgi,
    socks: Sequence[socket.socket],
    until: Callable[[], Awaitable[object]],
    begin: Begin | None,
) -> None:
    ending = asyncio.Event()
    server = _Uvicorn(
        uvicorn.Config(
            app,
            http=cast(type[HttpProtocol], partial(HttpProtocol, ending=ending, begin=begin)),
            ws=NoWebSocket,
            lifespan="off",
            interface="asgi3",
            log_config=None,
            # Its warnings tell of requests that are no HTTP, and anybody can send those.
            log_level="error",
            access_log=False,
            # Who a proxy says the caller is, is for the gateway to believe or not.
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=CLOSE_GRACE_S,
        )
    )

    async def stop() -> None:
        await until()
        ending.set()
        server.should_exit = True

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        group.start_soon(_end_silence, server)
        await server.serve(list(socks))
        group.cancel_scope.cancel()


async def _end_silence(server: _Uvicorn) -> None:
    """Close the connections that are silent for too long, as long as the server runs."""
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        now = anyio.current_time()
        for connection in server.connections():
            connection.end_silence(now)
