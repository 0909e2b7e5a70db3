"""The HTTP servers that our applications can sit behind; they behave alike on both.

Signals, start-up and end of the applications are not theirs: whoever serves takes care of them.
"""

import logging
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import anyio
import uvicorn
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType] - its WSGI half
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from gateway.listening import BACKLOG
from gateway.relay.begun import Begin
from gateway.uvicorn_protocols import HttpProtocol, NoWebSocket
from gateway.variables import HttpServer

Asgi = Callable[[Any, Any, Any], Awaitable[None]]

CLOSE_GRACE_S = 1
"""Calls have been drained before; this is for connections that are being closed."""
KEEP_ALIVE_S = 15
"""For the next request of a connection: longer than clients keep one, which is about 5 s, or theirs
meets its end; no longer, for Hypercorn keeps as long what a client has closed."""
LOOK_EVERY_S = 1.0
"""For silent connections of Uvicorn's."""


async def serve_http(
    chosen: HttpServer,
    app: Asgi,
    socks: Sequence[socket.socket],
    until: Callable[[], Awaitable[object]],
    begin: Begin | None = None,
) -> None:
    """Serve an application on listening sockets, which are used up, until `until` returns.

    `begin` may take a request before it becomes the application's, where the server can do that.
    """
    if chosen is HttpServer.UVICORN:
        await _serve_by_uvicorn(app, socks, until, begin)
    else:
        config = _hypercorn_config(socks)
        await serve(cast(ASGIFramework, app), config, shutdown_trigger=until)


def _hypercorn_config(socks: Sequence[socket.socket]) -> Config:
    config = Config()
    config.bind = [f"fd://{sock.detach()}" for sock in socks]
    # It listens anew, and its own bound is that of a small site.
    config.backlog = BACKLOG
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.graceful_timeout = CLOSE_GRACE_S
    config.keep_alive_timeout = KEEP_ALIVE_S
    config.include_server_header = False
    return config


class _Uvicorn(uvicorn.Server):
    """Uvicorn without its own reaction to signals."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to the gateway."""
        yield


async def _serve_by_uvicorn(
    app: Asgi,
    socks: Sequence[socket.socket],
    until: Callable[[], Awaitable[object]],
    begin: Begin | None,
) -> None:
    server = _Uvicorn(
        uvicorn.Config(
            app,
            http=cast(type[HttpProtocol], partial(HttpProtocol, begin=begin)),
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
        server.should_exit = True

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        group.start_soon(_end_silence, server)
        await server.serve(list(socks))
        group.cancel_scope.cancel()


async def _end_silence(server: uvicorn.Server) -> None:
    """Close the connections that are silent for too long, as long as the server runs."""
    while True:
        await anyio.sleep(LOOK_EVERY_S)
        now = anyio.current_time()
        for connection in tuple(server.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.end_silence(now)
