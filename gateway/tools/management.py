"""The management endpoints, whose tools are loaded when somebody first asks for them.

FastMCP and what it stands on are a third of what a gateway imports; one that only relays never
needs them. Above: `rooms`.
"""

import gc
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import anyio
from anyio import to_thread
from starlette.applications import Starlette

from gateway.domain.token import Scope as Permission
from gateway.late_imports import IMPORTING
from gateway.relay.http import Receive, Scope, Send
from gateway.tools.services import Services

log = logging.getLogger(__name__)

Needed: TypeAlias = Callable[[str], Awaitable[Permission | None]]


@dataclass(frozen=True, slots=True)
class _Loaded:
    http: Starlette
    sse: Starlette | None
    needed: Needed


class CannotLoad(Exception):
    """The management tools cannot be used now; each later request tries again."""


class Management:
    """The MCP server of the management tools, over Streamable HTTP and SSE; while `running`."""

    def __init__(self, services: Services, *, has_sse: bool) -> None:
        self._services = services
        self.has_sse = has_sse
        self._wanted = anyio.Event()
        self._tried = anyio.Event()
        """Set after each try to open the endpoints."""
        self._ending = anyio.Event()
        self._loaded: _Loaded | None = None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Open the endpoints when they are wanted, and close them after the body."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._run)
            yield
            self._ending.set()
            if self._loaded is None:
                group.cancel_scope.cancel()

    async def http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to `/mcp`. Raises CannotLoad."""
        await (await self._open()).http(scope, receive, send)

    async def sse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request to `/sse` or `/messages`; only where `has_sse`. Raises CannotLoad."""
        app = (await self._open()).sse
        assert app is not None, "the router knows whether there is SSE"
        await app(scope, receive, send)

    async def needed_scope(self, tool: str) -> Permission | None:
        """Return the scope that a tool needs, None if there is none. Raises CannotLoad."""
        return await (await self._open()).needed(tool)

    async def _open(self) -> _Loaded:
        if self._loaded is None:
            tried = self._tried
            self._wanted.set()
            await tried.wait()
        if self._loaded is None:
            raise CannotLoad("The management tools cannot be loaded now; the log says why.")
        return self._loaded

    async def _run(self) -> None:
        while not self._ending.is_set():
            await self._wanted.wait()
            try:
                await self._serve()
            except Exception:
                # Packages may be replaced under a running gateway, and it may be out of memory or
                # descriptors: no reason to end the servers and runs that go on.
                log.exception("The management tools cannot be loaded; requests to them are refused")
                self._loaded = None
                self._wanted = anyio.Event()
                self._say_tried()

    async def _serve(self) -> None:
        # A second and a half of work, through which other requests are answered.
        loaded = await to_thread.run_sync(_load_alone, self._services, self.has_sse)
        async with AsyncExitStack() as stack:
            for app in (loaded.http, loaded.sse):
                if app is not None:
                    await stack.enter_async_context(app.router.lifespan_context(app))
            self._loaded = loaded
            self._say_tried()
            await self._ending.wait()

    def _say_tried(self) -> None:
        tried, self._tried = self._tried, anyio.Event()
        tried.set()


def _load_alone(services: Services, has_sse: bool) -> _Loaded:  # noqa: FBT001 - as below
    with IMPORTING:
        return _load(services, has_sse)


def _load(services: Services, has_sse: bool) -> _Loaded:  # noqa: FBT001 - called by a thread
    # Only now: see above.
    from gateway.tools.scopes import needed_scope

    # Only now: see above.
    from gateway.tools.server import build_mcp

    # FastMCP has handlers of its own, which wrap lines and hide no secrets.
    library = logging.getLogger("fastmcp")
    library.handlers.clear()
    library.propagate = True
    library.setLevel(logging.WARNING)
    mcp = build_mcp(services)

    async def needed(tool: str) -> Permission | None:
        return await needed_scope(mcp, tool)

    loaded = _Loaded(
        mcp.http_app(path="/mcp"),
        mcp.http_app(path="/sse", transport="sse") if has_sse else None,
        needed,
    )
    # It lives as long as the gateway: collections need not walk over it.
    gc.freeze()
    return loaded
