"""The gateway's one ASGI application: the table of routes decides which room answers.

It starts and ends the applications behind it and guards every MCP endpoint.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
from quart import Quart

from gateway.answer_headers import hardened
from gateway.audit.deeds import correlation_of
from gateway.auth.admission import Admission
from gateway.auth.caller import CALLER, Caller, CallerKind
from gateway.auth.endings import Endings
from gateway.auth.origins import Origins
from gateway.combined.endpoint import CombinedEndpoint
from gateway.domain.token import Scope as Permission
from gateway.log_lines import about
from gateway.oauth.endpoints import Endpoints
from gateway.relay.answering import ALL_SERVERS, McpEndpoint
from gateway.relay.begun import BEGUN, Begun
from gateway.relay.endpoint import ServerEndpoint
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Message,
    Receive,
    Scope,
    Send,
    after_body,
    read_body,
    replayed,
    send_body,
    send_too_large,
)
from gateway.relay.refusal import INVALID_REQUEST, Refusal
from gateway.relay.request import read_envelope
from gateway.routes import Room, find_room
from gateway.telemetry.scraping import Scraping
from gateway.tools import Management
from gateway.tools.management import CannotLoad
from supervisor.children.wire import encode, error_message
from supervisor.errors import INTERNAL_ERROR

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
_FOR_RUNS = frozenset({Room.RELAY, Room.COMBINED})
"""A run that is being drained still calls its servers."""
_MAY_SCRAPE = frozenset({CallerKind.TOKEN, CallerKind.LOCAL})


@dataclass(frozen=True, slots=True)
class Rooms:
    """The applications behind the router."""

    pages: Quart
    management: Management
    relay: ServerEndpoint
    combined: CombinedEndpoint
    webhooks: Asgi
    local: Asgi
    oauth: Endpoints
    probe: Asgi
    scraping: Scraping | None
    """None: nobody collects figures here."""


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
        self.rooms = rooms
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
            await self._http(scope, _until(self._closing.wait, receive), hardened(send))
        elif (begun := scope.get(BEGUN)) is not None:
            await begun.go_on(receive, hardened(send))
        else:
            self._active += 1
            try:
                await self._http(scope, receive, hardened(send))
            finally:
                self._left()

    def begin(self, scope: Scope, body: bytes) -> Begun | None:
        """Send a tool call at once; None: the request is to be handed in as any other is."""
        room, segments = find_room(scope["path"])
        headers = Headers.of(scope)
        host, origin = headers.get(b"host") or "", headers.get(b"origin")
        if room is not Room.RELAY or not self._origins.answers_to(host):
            return None
        if not self._may_come(room, origin, host, repeated=headers.repeated(b"origin")):
            return None
        caller = self._admission.admit_known(scope)
        if caller is None:
            return None
        begun = self.rooms.relay.begin(caller, headers, segments[1], body)
        if begun is not None:
            self._active += 1
            begun.on_end(self._left)
        return begun

    def _left(self) -> None:
        self._active -= 1
        if not self._active:
            self._idle.set()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run the applications' own start-up and shutdown around the body."""
        async with AsyncExitStack() as stack:
            await self.rooms.pages.startup()
            stack.push_async_callback(self.rooms.pages.shutdown)
            await stack.enter_async_context(self.rooms.management.running())
            yield

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        room, segments = find_room(scope["path"])
        headers = Headers.of(scope)
        host, origin = headers.get(b"host") or "", headers.get(b"origin")
        refuse = after_body(receive, send)
        if not self._origins.answers_to(host):
            await _text(refuse, 421, "This gateway does not answer to this Host; see PUBLIC_URL.")
        elif not self._may_come(room, origin, host, repeated=headers.repeated(b"origin")):
            await _text(refuse, 403, "A web page of another origin sent this request.")
        elif room is Room.HEALTH:
            await self._health(segments[0], send)
        elif self._closing.is_set() and room not in _FOR_RUNS:
            await send_body(refuse, 503, headers={b"retry-after": b"5"})
        elif correlation := correlation_of(
            headers.get(b"traceparent"), headers.get(b"x-request-id")
        ):
            with about(correlation=correlation):
                await self._answer(room, segments, scope, receive, send)
        else:
            await self._answer(room, segments, scope, receive, send)

    def _answer(
        self, room: Room, segments: tuple[str, ...], scope: Scope, receive: Receive, send: Send
    ) -> Awaitable[object]:
        """Return the answer of a room, not begun yet."""
        rooms = self.rooms
        match room:
            case Room.RELAY:
                return self._relayed(rooms.relay, segments[1], scope, receive, send)
            case Room.COMBINED:
                return self._relayed(rooms.combined, ALL_SERVERS, scope, receive, send)
            case Room.MANAGEMENT:
                scope["path"] = "/mcp"
                return self._management(rooms.management.http, scope, receive, send)
            case Room.SSE if rooms.management.has_sse:
                return self._management(rooms.management.sse, scope, receive, send)
            case Room.OAUTH:
                return rooms.oauth(scope, receive, send)
            case Room.WEBHOOKS:
                return rooms.webhooks(scope, receive, send)
            case Room.PROBE:
                return rooms.probe(scope, receive, send)
            case Room.LOCAL:
                return self._local(scope, receive, send)
            case Room.METRICS if rooms.scraping is not None:
                return self._scraped(rooms.scraping, scope, send)
            case _:
                return rooms.pages(scope, receive, send)  # pyright: ignore[reportArgumentType] - Quart's own TypedDicts

    async def _relayed(
        self, endpoint: McpEndpoint, server: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        caller = await self._admission.admit(scope, after_body(receive, send))
        if caller is not None:
            send = self._admission.challenging(scope, send, caller=caller, needed=Permission.RUN)
            await endpoint.handle(scope, receive, send, caller=caller, server=server)

    async def _local(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admission.admit(scope, after_body(receive, send))
        if caller is not None and caller.kind is CallerKind.LOCAL:
            await self.rooms.local(scope, receive, send)
        elif caller is not None:
            await _forbidden(
                after_body(receive, send), "Only this machine's command line may do that."
            )

    async def _scraped(self, scraping: Scraping, scope: Scope, send: Send) -> None:
        caller = await self._admission.admit(scope, send)
        if caller is None:
            return
        if scope["method"] not in ("GET", "HEAD"):
            await send_body(send, 405, headers={b"allow": b"GET"})
        elif caller.view is None and caller.kind in _MAY_SCRAPE:
            await scraping(send)
        else:
            await _forbidden(send, "Figures of all servers need a token that is not for some.")

    async def _management(self, app: Asgi, scope: Scope, receive: Receive, send: Send) -> None:
        caller = await self._admission.admit_to_management(scope, after_body(receive, send))
        if caller is None:
            return
        scope[CALLER] = caller
        try:
            if scope["method"] == "POST":
                await self._checked(app, scope, receive, send, caller=caller)
            else:
                ended = partial(self._endings.wait, caller.id)
                await app(scope, _until(ended, receive), send)
        except CannotLoad as error:
            await send_body(send, 503, error_message(None, INTERNAL_ERROR, str(error)))

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

    def _may_come(self, room: Room, origin: str | None, host: str, *, repeated: bool) -> bool:
        """True when no page, or one that may, sent a request; nothing of OAuth acts by a cookie."""
        if origin is None and not repeated:
            return True
        if room is Room.OAUTH:
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


async def _forbidden(send: Send, sentence: str) -> None:
    await send_body(send, 403, error_message(None, INVALID_REQUEST, sentence))


async def _text(send: Send, status: int, sentence: str) -> None:
    await send_body(send, status, sentence.encode(), content_type=b"text/plain; charset=utf-8")
