"""Runs the gateway of a home: HTTP, stdio, scheduler; and ends it in order.

The end: nothing new is accepted, calls and runs that are going on get their time, then the
listener closes, then the children stop.
"""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import Sequence

import anyio
import uvloop

from gateway.backup.emptying import remove_unfinished
from gateway.credentials import CredentialRefused
from gateway.errors import CannotStart
from gateway.http_server import serve_http
from gateway.listening import CannotListen, listen, take_passed, url_of
from gateway.local import GatewayLock, LiveGateway, publish, withdraw
from gateway.log_lines import log_to_stderr
from gateway.main import Gateway, build
from gateway.notify.heartbeat import Heartbeat, failure_told
from gateway.oauth.server import AuthorizationServer
from gateway.own_memory import close_own_memory
from gateway.reach.opening import listen_for_tunnel, port_of
from gateway.redaction import open_redactor
from gateway.restarting import Restart, RestartAsked
from gateway.sandbox_notice import sandbox_notice
from gateway.service.telling import Telling
from gateway.settings import Settings
from gateway.shutdown import DRAIN_S, Shutdown
from gateway.stdio import MANAGEMENT, pass_messages
from gateway.stdio_wire import BridgeEnded, stdin_is_pipe
from gateway.store import StoreError
from gateway.variables import HttpServer, Transport
from gateway.vault import VaultError
from gateway.version import describe_http_server, read_version
from sandboxes.errors import RefusedName
from sandboxes.network.outside import Outside
from supervisor.redaction import Redactor

log = logging.getLogger(__name__)

PRIVATE = 0o077
TOKEN_USES_EVERY_S = 60.0
PRUNE_EVERY_S = 3600.0
COLLECT_AFTER = 10_000
"""Objects that were made and not freed yet: those of a hundred calls in flight are no garbage."""


def serve(settings: Settings, stdio_path: str = MANAGEMENT, outside: Outside | None = None) -> int:
    """Take the home and serve until TERM or INT; return the exit status.

    A client on standard input talks to the endpoint at `stdio_path`. `outside`: what documents of
    OAuth clients are fetched from; None: the internet.

    Raises:
        HomeTaken: another gateway has this home.
        CannotStart: something that it needs cannot be used.
        RestartAsked: it has ended because its owner wants it to begin anew.
    """
    if settings.mcp_transport is Transport.STDIO and not stdin_is_pipe():
        raise CannotStart(
            "MCP_TRANSPORT is stdio and standard input is no pipe; name the command in an MCP "
            "client, or set MCP_TRANSPORT=http."
        )
    os.umask(PRIVATE)
    close_own_memory()
    redactor = open_redactor(settings)
    log_to_stderr(redactor, settings.log_format)
    if notice := sandbox_notice(settings.sandbox):
        log.warning("%s", notice)
    with GatewayLock(settings.home):
        _clear(settings)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                anew = runner.run(_serve_or_tell(settings, stdio_path, redactor, outside))
        except (CannotListen, StoreError, VaultError, CredentialRefused, RefusedName) as error:
            raise CannotStart(str(error)) from error
    if anew:
        raise RestartAsked
    return 0


def _clear(settings: Settings) -> None:
    try:
        remove_unfinished(settings.home)
    except OSError as error:
        log.warning("A back-up that was interrupted stays in %s: %s", settings.home, error)


async def _serve_or_tell(
    settings: Settings, stdio_path: str, redactor: Redactor, outside: Outside | None
) -> bool:
    async with failure_told(settings.healthcheck_url):
        return await _serve(settings, stdio_path, redactor, outside)


async def _serve(
    settings: Settings, stdio_path: str, redactor: Redactor, outside: Outside | None
) -> bool:
    """Serve to the end; return True when the gateway is to begin anew."""
    shutdown = Shutdown()
    with (
        _listen(settings) as sock,
        listen_for_tunnel(settings) as tunnel_sock,
        shutdown.on_signals(),
    ):
        url, tunnel_port = url_of(sock), port_of(tunnel_sock)
        async with build(settings, url, redactor, outside, tunnel_port) as gateway:
            live = LiveGateway(os.getpid(), url, gateway.guard.make_local_token(), read_version())
            publish(settings.home, live)
            try:
                has_password = settings.dashboard_password is not None
                _announce(gateway, url, settings.http_server, has_password=has_password)
                await _run(
                    gateway,
                    [each for each in (sock, tunnel_sock) if each is not None],
                    live,
                    settings=settings,
                    stdio_path=stdio_path,
                    shutdown=shutdown,
                )
            finally:
                withdraw(settings.home)
    return gateway.restart.asked


def _listen(settings: Settings) -> socket.socket:
    if settings.service.sockets:
        return take_passed(settings.service.sockets)
    return listen(settings.host, settings.port)


def _announce(gateway: Gateway, url: str, chosen: HttpServer, *, has_password: bool) -> None:
    log.info("Claude Runner %s listens on %s, process %d", read_version(), url, os.getpid())
    log.info("Requests are carried by %s", describe_http_server(chosen))
    if has_password:
        log.info("Dashboard: %s; log in by the password of your settings", url)
        return
    key = gateway.sessions.links.issue()
    log.info("Dashboard (this link works once, for ten minutes): %s/login?key=%s", url, key)


async def _run(
    gateway: Gateway,
    socks: Sequence[socket.socket],
    live: LiveGateway,
    *,
    settings: Settings,
    stdio_path: str,
    shutdown: Shutdown,
) -> None:
    stop_http, transport = anyio.Event(), settings.mcp_transport
    telling = Telling(settings.service)
    async with anyio.create_task_group() as group:
        # Before the folders are read: a change in between is not missed.
        group.start_soon(gateway.watcher.run)
        group.start_soon(_load_servers, gateway)
        group.start_soon(gateway.follower.run, gateway.servers.versions.look)
        group.start_soon(gateway.pin_keeper.run)
        group.start_soon(gateway.trail.run)
        group.start_soon(gateway.notify.run)
        group.start_soon(gateway.retention.run)
        group.start_soon(gateway.looking.run)
        group.start_soon(gateway.node.run)
        group.start_soon(gateway.scheduler.run)
        group.start_soon(_note_token_uses, gateway)
        group.start_soon(_prune_oauth, gateway.oauth)
        group.start_soon(gateway.guard.endings.run)
        group.start_soon(gateway.reach.run)
        group.start_soon(gateway.connector.run)
        if transport in (Transport.STDIO, Transport.BOTH) and stdin_is_pipe():
            group.start_soon(_serve_stdio, live, stdio_path, transport, shutdown)
        group.start_soon(telling.keep_alive)
        group.start_soon(Heartbeat(settings.healthcheck_url, gateway.loaded.wait).run)
        group.start_soon(_end_for_restart, gateway.restart, shutdown)
        group.start_soon(_stop, gateway, shutdown, stop_http, telling)
        async with gateway.router.running():
            telling.ready(f"Serving {live.url}")
            await serve_http(
                settings.http_server, gateway.app, socks, stop_http.wait, gateway.begin
            )
        group.cancel_scope.cancel()


async def _load_servers(gateway: Gateway) -> None:
    await gateway.servers.disk.load_all()
    for problem in gateway.servers.disk.problems:
        log.error("%s", problem)
    gateway.loaded.set()
    spare_collections()
    for name in gateway.servers.names():
        # Also what was written while no gateway ran becomes a version.
        gateway.follower.wake(name)


def spare_collections() -> None:
    """Leave out of garbage collections what lives as long as the gateway: 200,000 objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, *gc.get_threshold()[1:])


async def _stop(
    gateway: Gateway, shutdown: Shutdown, stop_http: anyio.Event, telling: Telling
) -> None:
    await shutdown.wait()
    telling.stopping()
    log.info("Stopping: nothing new is accepted, what is going on has %g s", DRAIN_S)
    gateway.router.close()
    gateway.dashboard.live.close()
    gateway.relay.close_streams()
    gateway.combined.close_streams()
    async with anyio.create_task_group() as group:
        group.start_soon(gateway.runner.drain, DRAIN_S)
        group.start_soon(gateway.router.drain, DRAIN_S)
        group.start_soon(gateway.calls.drain, DRAIN_S)
    gateway.calls.end_all("the gateway stops")
    gateway.relay.close()
    gateway.combined.close()
    await _note_uses(gateway)
    stop_http.set()


async def _end_for_restart(restart: Restart, shutdown: Shutdown) -> None:
    await restart.wait()
    log.info("The owner asked for a restart")
    shutdown.request()


async def _serve_stdio(
    live: LiveGateway, path: str, transport: Transport, shutdown: Shutdown
) -> None:
    """Serve a client on stdio through our own endpoint; for stdio alone its end is ours."""
    try:
        await pass_messages(live, path)
    except BridgeEnded as error:
        log.warning("The client on standard input is gone: %s", error)
    if transport is Transport.STDIO:
        shutdown.request()


async def _note_token_uses(gateway: Gateway) -> None:
    while True:
        await anyio.sleep(TOKEN_USES_EVERY_S)
        await _note_uses(gateway)


async def _prune_oauth(oauth: AuthorizationServer) -> None:
    while True:
        try:
            await oauth.prune()
        except StoreError as error:
            log.warning("OAuth clients and tokens that ended are not removed yet: %s", error)
        await anyio.sleep(PRUNE_EVERY_S)


async def _note_uses(gateway: Gateway) -> None:
    try:
        await gateway.guard.note_uses()
        await gateway.sessions.note_uses()
    except StoreError as error:
        log.warning("The use of tokens and sessions is not noted yet: %s", error)
