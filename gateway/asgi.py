"""The gateway's one ASGI application: the first path segments decide which room answers.

It starts and ends the applications behind it and guards every MCP endpoint. Whole segments
are compared, so `/mcpfoo` is not `/mcp`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import anyio
from quart import Quart
from starlette.applications import Starlette

from gateway.auth.admission import Admission
from gateway.auth.caller import CALLER, Caller, CallerKind
from gateway.auth.endings import Endings
from gateway.auth.origins import Origins
from gateway.combined.endpoint import CombinedEndpoint
from gateway.domain.token import Scope as Permission
from gateway.oauth.endpoints import Endpoints
from gateway.relay.answering import ALL_SERVERS, McpEndpoint
from gateway.relay.endpoint import ServerEndpoint
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
    replayed,
    send_body,
    send_too_large,
)
from gateway.relay.refusal import INVALID_REQUEST, Refusal
from gateway.relay.request import read_envelope
from supervisor.children.wire import encode, error_message

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
KNOWN_PATHS = 256
"""How many are remembered in their segments; callers choose them."""


@dataclass(frozen=True, slots=True)
class Rooms:
    """The applications behind the router."""

    pages: Quart
    mcp: Starlette
    sse: Starlette | None
    relay: ServerEndpoint
    combined: CombinedEndpoint
    webhooks: Asgi
    local: Asgi
    oauth: Endpoints
    probe: Asgi


class Router:
    """Routes requests to rooms."""

    def __init__(
        self,
        rooms: Rooms,
        *,
        admission: Admission,
        endings: Endings,
        origins: Origins,
        ready: Callable[[], bool],
    ) -> None:
        self._rooms = rooms
        self._admission = admission
        self._endings = endings
        self._origins = origins
        self._ready = ready
        self._closing = anyio.Event()
        self._active = 0
        self._idle = anyio.Event()

    def close(self) -> None:
        """Accept nothing new but what live runs still need, and end the open streams."""
        self._closing.set()

    async def drain(self, seconds: float) -> None:
        """Return when no request is being answered, or after this long."""
        with anyio.move_on_after(seconds):
            while self._active:
                self._idle = anyio.Event()
                await self._idle.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return  # `running` is entered by whoever serves this
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["method"] == "GET":
            await self._http(scope, _until(self._closing.wait, receive), send)
        else:
            self._active += 1
            try:
                await self._http(scope, receive, send)
            finally:
                self._active -= 1
                if not self._active:
                    self._idle.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run the applications' own start-up and shutdown around the body."""
        async with AsyncExitStack() as stack:
            await self._rooms.pages.startup()
            stack.push_async_callback(self._rooms.pages.shutdown)
            for app in (self._rooms.mcp, self._rooms.sse):
                if app is not None:
                    await stack.enter_async_context(app.router.lifespan_context(app))
            yield

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        segments = _segments(scope["path"])
        headers = Headers.of(scope)
        host, origin = headers.get(b"host") or "", headers.get(b"origin")
        if not self._origins.answers_to(host):
            await _text(send, 421, "This gateway does not answer to this Host; see PUBLIC_URL.")
        elif not self._may_come(segments, origin, host, repeated=headers.repeated(b"origin")):
            await _text(send, 403, "A web page of another origin sent this request.")
        elif segments in (("healthz",), ("readyz",)):
            await self._health(segments[0], send)
        elif self._closing.is_set() and segments[:1] != ("servers",) and segments != ("mcp", "all"):
            # A run that is being drained still calls its servers.
            await send_body(send, 503, headers={b"retry-after": b"5"})
        else:
            await self._route(segments, scope, receive, send)

    def _route(
        self, segments: tuple[str, ...], scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[object]:
        """Return the answer of the room that a path leads to, not begun yet."""
        rooms = self._rooms
        match segments:
            case ("servers", server, "mcp"):
                return self._relayed(rooms.relay, server, scope, receive, send)
            case ("mcp", "all"):
                return self._relayed(rooms.combined, ALL_SERVERS, scope, receive, send)
            case ("mcp",):
                scope["path"] = "/mcp"
                return self._management(rooms.mcp, scope, receive, send)
            case ("sse",) | ("messages", *_) if rooms.sse is not None:
                return self._management(rooms.sse, scope, receive, send)
            case _ if rooms.oauth.owns(segments):
                return rooms.oauth(scope, receive, send)
            case ("webhook", *_) | ("jobs", _, "fire"):
                return rooms.webhooks(scope, receive, send)
            case ("connector-probe", _):
                return rooms.probe(scope, receive, send)
            case ("local", *_):
                return self._local(scope, receive, send)
            case _:
                return rooms.pages(scope, receive, send)  # pyright: ignore[reportArgumentType] - Quart's own TypedDicts

    async def _relayed(
        self, endpoint: McpEndpoint, server: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        caller = await self._admission.admit(scope, send)
        if caller is not None:
            send = self._admission.challenging(scope, send, caller=caller, needed=Permission.RUN)
            await endpoint.handle(scope, receive, send, caller=caller, server=server)

    async def _local(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admission.admit(scope, send)
        if caller is not None and caller.kind is CallerKind.LOCAL:
            await self._rooms.local(scope, receive, send)
        elif caller is not None:
            await _forbidden(send, "Only this machine's command line may do that.")

    async def _management(self, app: Asgi, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admission.admit_to_management(scope, send)
        if caller is None:
            return
        scope[CALLER] = caller
        if scope["method"] == "POST":
            await self._checked(app, scope, receive, send, caller=caller)
        else:
            ended = partial(self._endings.wait, caller.id)
            await app(scope, _until(ended, receive), send)

    async def _checked(
        self, app: Asgi, scope: Scope, receive: Receive, send: Send, *, caller: Caller
    ) -> None:
        """Refuse what is no MCP message or needs more scopes; hand on the rest."""
        try:
            body = await read_body(receive)
            message = read_envelope(body)
        except Refusal as refusal:
            await send_body(
                send, refusal.status, error_message(None, refusal.code, refusal.message)
            )
        except BodyTooLarge:
            await send_too_large(send)
        except ClientGone:
            return
        else:
            if await self._admission.admit_call(scope, send, caller=caller, message=message):
                await app(scope, replayed(body, receive), send)

    def _may_come(
        self, segments: tuple[str, ...], origin: str | None, host: str, *, repeated: bool
    ) -> bool:
        """True when no page, or one that may, sent a request; nothing of OAuth acts by a cookie."""
        if origin is None and not repeated:
            return True
        if self._rooms.oauth.owns(segments):
            return True
        return origin is not None and self._origins.may_come_from(origin, host)

    async def _health(self, kind: str, send: Send) -> None:
        ready = kind == "healthz" or self._ready()
        body = encode({"status": "ok" if ready else "starting"})
        await send_body(send, 200 if ready else 503, body)


def _until(over: Callable[[], Awaitable[object]], receive: Receive) -> Receive:
    """Return a `receive` that reports a disconnect once `over` returns."""

    async def receive_or_end() -> Message:
        got: list[Message] = []

        async def take() -> None:
            got.append(await receive())
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(take)
            await over()
            group.cancel_scope.cancel()
        return got[0] if got else {"type": "http.disconnect"}

    return receive_or_end


@lru_cache(maxsize=KNOWN_PATHS)
def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


async def _forbidden(send: Send, sentence: str) -> None:
    await send_body(send, 403, error_message(None, INVALID_REQUEST, sentence))


async def _text(send: Send, status: int, sentence: str) -> None:
    await send_body(send, status, sentence.encode(), content_type=b"text/plain; charset=utf-8")
