"""A run's way out: the address at which its CLI reaches the Messages API and its servers.

Under level strong the launcher opens the listener inside the run's own network and hands it
over through the wrapper, together with that of the proxy if the run has one; at other levels it
is on this machine's loopback. Nothing but the two rooms behind it is served there, and each of
them wants its own token of the run.
"""

import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import anyio
from hypercorn.asyncio import serve  # pyright: ignore[reportUnknownVariableType] - its WSGI half
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from gateway.relay.http import Receive, Scope, Send
from sandboxes.network.egress import Proxy, receive_listeners
from sandboxes.network.handover import LOOPBACK

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

PORT = 4180
"""Inside a run's own network, where nothing else can have it."""
CHANNEL = "channel"
"""Name of the socket in a run's private folder at which its wrapper asks for the handing over."""
CLOSE_GRACE_S = 0.5
"""The CLI is dead by then; its connections only have to be noticed as closed."""


class Door:
    """Made before the CLI starts, so that its address can be told; then served."""

    def __init__(self, listener: socket.socket, url: str, *, handed_over: bool) -> None:
        self.url = url
        """The address as the CLI sees it."""
        self._listener = listener
        self._handed_over = handed_over
        self._closing = anyio.Event()
        self._waiting = anyio.CancelScope()

    @asynccontextmanager
    async def serving(self, app: Asgi, proxy: Proxy | None) -> AsyncGenerator[None]:
        """Answer the CLI by `app`, and by `proxy` if it has one, as long as the body runs."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._serve, app, proxy)
            try:
                yield
            finally:
                self._waiting.cancel()
                self._closing.set()

    def close(self) -> None:
        """Close what was never served."""
        self._listener.close()

    async def _serve(self, app: Asgi, proxy: Proxy | None) -> None:
        listeners = [self._listener]
        if self._handed_over:
            listeners = []
            with self._waiting:
                listeners = await _handed_over(self._listener)
        if not listeners:
            return
        async with anyio.create_task_group() as group:
            if proxy is not None:
                group.start_soon(proxy.serve, listeners[1])
            await self._serve_app(listeners[0], app)
            group.cancel_scope.cancel()

    async def _serve_app(self, listener: socket.socket, app: Asgi) -> None:
        config = Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.accesslog = config.errorlog = None
        config.graceful_timeout = CLOSE_GRACE_S
        config.include_server_header = False
        await serve(cast(ASGIFramework, app), config, shutdown_trigger=self._closing.wait)


def door_to_sandbox(private: Path) -> Door:
    """Return the door of a run with a network of its own; its wrapper comes to `private`."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # An address has 107 bytes (unix(7)), a home folder may have more; through a descriptor of
    # the folder every one is short.
    folder = os.open(private, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{CHANNEL}")
    finally:
        os.close(folder)
    listener.listen(1)
    return Door(listener, f"http://{LOOPBACK}:{PORT}", handed_over=True)


def door_on_loopback() -> Door:
    """Return the door of a run that shares this machine's network."""
    listener = socket.create_server((LOOPBACK, 0))
    port = listener.getsockname()[1]
    return Door(listener, f"http://{LOOPBACK}:{port}", handed_over=False)


def rooms(forwarder: Asgi, servers: Asgi) -> Asgi:
    """Return the application behind the door: run entries by their path, else the forwarder."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"] == "/mcp/all" or scope["path"].startswith("/servers/"):
            await servers(scope, receive, send)
        else:
            await forwarder(scope, receive, send)

    return route


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def _handed_over(channel: socket.socket) -> list[socket.socket]:
    """Return the listeners that the run's launcher opened; none when it ended instead.

    Waits for the wrapper as long as it takes: a run that never starts ends by its own limits.
    """
    channel.settimeout(0)
    with channel:
        await anyio.wait_readable(channel)
        wrapper, _ = channel.accept()
    with wrapper:
        wrapper.settimeout(0)
        await anyio.wait_readable(wrapper)
        return receive_listeners(wrapper)
