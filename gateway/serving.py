"""Runs a built gateway: HTTP, stdio, scheduler; and ends it in order.

The end: nothing new is accepted, calls and runs that are going on get their time, then the
listeners close, then the children stop.
"""

import logging
import os
import socket
import stat
import sys

import anyio
from fastmcp import FastMCP
from hypercorn.asyncio import serve as serve_http
from hypercorn.config import Config

from gateway.auth.guard import Guard
from gateway.main import Gateway
from gateway.shutdown import DRAIN_S, Shutdown
from gateway.variables import Transport

log = logging.getLogger(__name__)

TOKEN_USES_EVERY_S = 60.0
HTTP_GRACE_S = 1.0
"""Calls have been drained before; this is for connections that are being closed."""
SECONDS_TO_CLOSE_LIFESPAN = 5.0


async def run(
    gateway: Gateway, sock: socket.socket, *, transport: Transport, shutdown: Shutdown
) -> None:
    """Serve on a listening socket until the shutdown is requested."""
    stop_http = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.servers.load_all)
        group.start_soon(gateway.scheduler.run)
        group.start_soon(_note_token_uses, gateway.guard)
        if transport in (Transport.STDIO, Transport.BOTH) and stdin_is_pipe():
            group.start_soon(_serve_stdio, gateway.mcp, transport, shutdown)
        group.start_soon(_stop, gateway, shutdown, stop_http)
        await serve_http(gateway.router, _config(sock), shutdown_trigger=stop_http.wait)
        group.cancel_scope.cancel()


def stdin_is_pipe() -> bool:
    """True when a client talks to us over standard input: a pipe, or a socket as Node makes."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


async def _stop(gateway: Gateway, shutdown: Shutdown, stop_http: anyio.Event) -> None:
    await shutdown.wait()
    log.info("Stopping: nothing new is accepted, what is going on has %g s", DRAIN_S)
    gateway.router.close()
    gateway.dashboard.live.close()
    gateway.relay.close_streams()
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.runner.drain, DRAIN_S)
        group.start_soon(gateway.router.drain, DRAIN_S)
    gateway.relay.close()
    stop_http.set()


async def _serve_stdio(mcp: FastMCP, transport: Transport, shutdown: Shutdown) -> None:
    """Serve the management tools on stdio; its end is ours when there is nothing else."""
    await mcp.run_stdio_async(show_banner=False)
    if transport is Transport.STDIO:
        shutdown.request()


async def _note_token_uses(guard: Guard) -> None:
    while True:
        await anyio.sleep(TOKEN_USES_EVERY_S)
        await guard.note_uses()


def _config(sock: socket.socket) -> Config:
    config = Config()
    config.bind = [f"fd://{sock.fileno()}"]
    config.accesslog = None
    config.errorlog = None
    config.graceful_timeout = HTTP_GRACE_S
    config.shutdown_timeout = SECONDS_TO_CLOSE_LIFESPAN
    config.include_server_header = False
    return config
