"""`/mcp/all`: Streamable HTTP in front of all servers at once, for callers of both eras.

What is for one server is relayed by the same code as at that server's own endpoint.
Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from gateway.auth.caller import Caller
from gateway.combined.answers import Answers
from gateway.combined.catalogue import Catalogue
from gateway.combined.changes import Changes
from gateway.combined.routing import Router
from gateway.relay.handshake_caller import (
    SESSION_HEADER,
    find_session,
    relay,
    serve_stream,
    take,
)
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    send_body,
    send_too_large,
)
from gateway.relay.listeners import Listeners, Wanted, read_wanted
from gateway.relay.modern_caller import ModernCallers
from gateway.relay.refusal import METHOD_NOT_FOUND, Refusal, from_supervisor
from gateway.relay.request import Posted, read_message
from gateway.relay.sessions import Session, Sessions
from gateway.relay.visit import Visit, refuse
from supervisor.children.era import (
    MODERN_VERSION,
    is_of_other_era,
    read_capabilities,
    to_modern_result,
)
from supervisor.children.following import LISTEN
from supervisor.children.link import Notice
from supervisor.children.wire import error_message, notification_line, result_message
from supervisor.errors import SupervisorError
from supervisor.events import Event
from supervisor.slots.slot import Slot
from supervisor.spec import Era
from supervisor.supervisor import Supervisor

ALL_SERVERS = ""
"""Stands in sessions and streams where those of a server have its name."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that has been authenticated; what it is for is not known yet."""

    caller: Caller
    headers: Headers
    receive: Receive
    send: Send

    def to(self, slot: Slot) -> Visit:
        """Return it as a visit to one server."""
        return Visit(slot, self.caller, self.headers, self.receive, self.send)


class CombinedEndpoint:
    """All servers behind one address. The caller has been authenticated before it gets here."""

    def __init__(self, supervisor: Supervisor, *, search_first: int = 0) -> None:
        """With more tools than `search_first` only `search_tools` and its like are listed."""
        catalogue = Catalogue(supervisor)
        self._answers = Answers(catalogue, search_first=search_first)
        self._router = Router(catalogue)
        self._changes = Changes(catalogue, self._tell)
        self._sessions = Sessions(
            on_end=lambda session: supervisor.end_tenant(session.tenant.key, "its session ended")
        )
        self._modern = ModernCallers()
        self._listeners = Listeners()
        self._stop_listening: Callable[[], None] = supervisor.listen(self._changes.noticed)

    def hear(self, event: Event) -> None:
        """Take what the supervisor tells; callers learn of lists that it changes."""
        self._changes.hear(event)

    def forget(self, owner: str) -> None:
        """End the sessions of a token or a run that is not valid any more."""
        for session in self._sessions.of_owner(owner):
            self._sessions.end(session)

    def close_streams(self) -> None:
        """End the open streams; sessions and calls go on."""
        self._sessions.end_streams()
        self._listeners.end_all()

    def close(self) -> None:
        """End all sessions and their streams."""
        self._stop_listening()
        self._sessions.end_all()
        self._listeners.end_all()

    async def handle(self, scope: Scope, receive: Receive, send: Send, *, caller: Caller) -> None:
        """Answer one request."""
        headers = Headers.of(scope)
        try:
            match scope["method"]:
                case "POST":
                    await self._post(Request(caller, headers, receive, send))
                case "GET" | "DELETE" if headers.get(b"mcp-protocol-version") == MODERN_VERSION:
                    await send_body(send, 405, headers={b"allow": b"POST"})
                case "GET":
                    await serve_stream(self._session(headers, caller), receive, send)
                case "DELETE":
                    self._sessions.end(self._session(headers, caller))
                    await send_body(send, 204)
                case _:
                    await send_body(send, 405, headers={b"allow": b"POST, GET, DELETE"})
        except Refusal as refusal:
            message = error_message(None, refusal.code, refusal.message, refusal.data)
            await send_body(send, refusal.status, message)
        except BodyTooLarge:
            await send_too_large(send)
        except ClientGone:
            return

    async def _post(self, request: Request) -> None:
        posted = read_message(await read_body(request.receive), request.headers)
        if posted.envelope.method is None or posted.envelope.id is None:
            if posted.era is Era.HANDSHAKE:
                take(self._session(request.headers, request.caller), posted)
            await send_body(request.send, 202)
            return
        try:
            if posted.era is Era.HANDSHAKE:
                await self._ask_in_session(request, posted)
            else:
                await self._ask_alone(request, posted)
        except SupervisorError as error:
            await refuse(request.send, posted, from_supervisor(error))
        except Refusal as refusal:
            await refuse(request.send, posted, refusal)

    async def _ask_in_session(self, request: Request, posted: Posted) -> None:
        if posted.method == "initialize":
            await self._initialize(request, posted)
            return
        session = self._session(request.headers, request.caller)
        if is_of_other_era(Era.HANDSHAKE, posted.method):
            raise Refusal(METHOD_NOT_FOUND, f"This revision has no method {posted.method}.", 200)
        view = request.caller.view
        result = b"{}" if posted.method == "ping" else await self._answers.result(posted, view)
        if result is not None:
            await send_body(request.send, 200, result_message(posted.id, result))
            return
        route = await self._router.route(posted, view)
        visit = request.to(route.slot)
        visit.check_tool(route.posted)
        await relay(visit, route.posted, session)

    async def _ask_alone(self, request: Request, posted: Posted) -> None:
        view = request.caller.view
        if posted.method == "server/discover":
            result = self._answers.handshake(request.caller).discover_result()
            await send_body(request.send, 200, result_message(posted.id, result))
            return
        if posted.method == LISTEN:
            await self._listen(request, posted)
            return
        result = await self._answers.result(posted, view)
        if result is not None:
            body = to_modern_result(posted.method, msgspec.Raw(result))
            await send_body(request.send, 200, result_message(posted.id, body))
            return
        route = await self._router.route(posted, view)
        await self._modern.ask(request.to(route.slot), route.posted)

    async def _initialize(self, request: Request, posted: Posted) -> None:
        capabilities = read_capabilities(posted.envelope.params)
        session = self._sessions.open(ALL_SERVERS, request.caller.id, capabilities)
        handshake = self._answers.handshake(request.caller)
        result = handshake.initialize_result(posted.fields.protocol_version)
        await send_body(
            request.send,
            200,
            result_message(posted.id, result),
            headers={SESSION_HEADER: session.id.encode()},
        )

    async def _listen(self, request: Request, posted: Posted) -> None:
        asked = read_wanted(posted.envelope.params)
        listener = self._listeners.open(posted.id, ALL_SERVERS, request.caller.id)
        try:
            # Of single resources their own server tells, at its own endpoint.
            listener.begin(Wanted(asked.lists, ()))
            await listener.serve(request.receive, request.send)
        finally:
            self._listeners.close(listener)

    def _session(self, headers: Headers, caller: Caller) -> Session:
        return find_session(self._sessions, headers, ALL_SERVERS, caller.id)

    def _tell(self, method: str) -> None:
        self._listeners.hear(ALL_SERVERS, Notice(method, None))
        message = notification_line(method, None).rstrip(b"\n")
        for session in self._sessions.of_server(ALL_SERVERS):
            session.post(message)
