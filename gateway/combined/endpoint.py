"""`/mcp/all`: Streamable HTTP in front of all servers at once, for callers of both eras.

What is for one server is relayed by the same code as at that server's own endpoint.
Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

import time
from collections.abc import Awaitable, Callable

import msgspec

from gateway.combined.answers import Answers
from gateway.combined.catalogue import Catalogue
from gateway.combined.changes import Changes
from gateway.combined.routing import Router
from gateway.combined.searching import ANSWERED_HERE, SAYS_UNFIT
from gateway.combined.tasks import Tasks
from gateway.combined.updates import Updates
from gateway.domain.audit import Outcome
from gateway.relay.answering import ALL_SERVERS, McpEndpoint, Request
from gateway.relay.ended import Report, ended, nobody
from gateway.relay.handshake_caller import (
    SESSION_HEADER,
    find_session,
    relay,
    serve_stream,
    take,
)
from gateway.relay.http import send_body
from gateway.relay.listeners import Listeners, Wanted, read_wanted
from gateway.relay.modern_caller import ModernCallers
from gateway.relay.places import Places
from gateway.relay.refusal import METHOD_NOT_FOUND, Refusal
from gateway.relay.request import Posted
from gateway.relay.sessions import Session, Sessions
from gateway.relay.visit import Visit
from gateway.relay.wishes import WISHES
from supervisor.children.call import Notice
from supervisor.children.era import (
    is_of_other_era,
    read_capabilities,
    to_modern_result,
)
from supervisor.children.following import LISTEN
from supervisor.children.wire import notification_line, result_message
from supervisor.events import Event
from supervisor.spec import Era
from supervisor.supervisor import Supervisor


class CombinedEndpoint(McpEndpoint):
    """All servers behind one address. The caller has been authenticated before it gets here."""

    def __init__(
        self,
        supervisor: Supervisor,
        report: Report = nobody,
        places: Places | None = None,
        *,
        search_first: int = 0,
    ) -> None:
        """With more tools than `search_first` only `search_tools` and its like are listed."""
        super().__init__(report, places)
        catalogue = Catalogue(supervisor)
        self._answers = Answers(catalogue, search_first=search_first)
        self._tasks = Tasks()
        self._router = Router(catalogue, self._tasks)
        self._changes = Changes(catalogue, self._tell)
        self._sessions = Sessions(
            on_end=lambda session: supervisor.end_tenant(session.tenant.key, "its session ended")
        )
        self._modern = ModernCallers()
        self._listeners = Listeners()
        self._updates = Updates(catalogue, self._router, self._sessions)
        self._stop_listening: Callable[[], None] = supervisor.listen(self._noticed)

    def hear(self, event: Event) -> None:
        """Take what the supervisor tells; callers learn of lists that it changes."""
        self._changes.hear(event)

    def forget(self, owner: str) -> None:
        """End what a token or a run has here that is not valid any more."""
        for session in self._sessions.of_owner(owner):
            self._sessions.end(session)
        self._listeners.forget(owner)
        self._modern.forget(owner)
        self._tasks.forget(owner)

    def close_streams(self) -> None:
        """End the open streams; sessions and calls go on."""
        self._sessions.end_streams()
        self._listeners.end_all()

    def close(self) -> None:
        """End all sessions and their streams."""
        self._stop_listening()
        self._sessions.end_all()
        self._listeners.end_all()
        self._modern.end_all()

    def ask(self, request: Request, posted: Posted) -> Awaitable[None]:
        """Answer a request, or have the server answer that it is for."""
        ask = self._ask_alone if posted.era is Era.MODERN else self._ask_in_session
        return ask(request, posted)

    def tell(self, request: Request, posted: Posted) -> None:
        """Take what a session says besides."""
        take(self._session(request), posted)

    def listen(self, request: Request) -> Awaitable[None]:
        """Serve the stream of a session."""
        return serve_stream(self._session(request), request.receive, request.send)

    async def end(self, request: Request) -> None:
        """End a session."""
        self._sessions.end(self._session(request))
        await send_body(request.send, 204)

    async def _ask_in_session(self, request: Request, posted: Posted) -> None:
        if posted.method == "initialize":
            await self._initialize(request, posted)
            return
        session = self._session(request)
        if is_of_other_era(Era.HANDSHAKE, posted.method):
            raise Refusal(METHOD_NOT_FOUND, f"This revision has no method {posted.method}.", 200)
        if posted.method in WISHES:
            await self._updates.wish(request, posted, session)
            await send_body(request.send, 200, result_message(posted.id, b"{}"))
            return
        result = b"{}" if posted.method == "ping" else await self._answer(request, posted)
        if result is not None:
            await send_body(request.send, 200, result_message(posted.id, result))
            return
        route = await self._router.route(posted, request.caller)
        visit = Visit(route.slot, request)
        visit.check_tool(route.posted)
        self._updates.calls(session, route.slot)
        await relay(visit, route.posted, session)

    async def _ask_alone(self, request: Request, posted: Posted) -> None:
        caller = request.caller
        if posted.method == "server/discover":
            result = self._answers.discovered(caller)
            await send_body(request.send, 200, result_message(posted.id, result))
            return
        if posted.method == LISTEN:
            await self._listen(request, posted)
            return
        result = await self._answer(request, posted)
        if result is not None:
            body = to_modern_result(posted.method, msgspec.Raw(result))
            await send_body(request.send, 200, result_message(posted.id, body))
            return
        route = await self._router.route(posted, caller)
        looks = self._tasks.watch(caller.id, route.slot.spec.name, posted)
        await self._modern.ask(Visit(route.slot, request, looks), route.posted)

    async def _answer(self, request: Request, posted: Posted) -> bytes | None:
        """Return the endpoint's own result, and report a call; None: it is for a server."""
        began = time.perf_counter()
        result = await self._answers.result(posted, request.caller.view)
        if result is not None and posted.method == "tools/call":
            outcome = Outcome.TOOL_ERROR if result.endswith(SAYS_UNFIT) else Outcome.OK
            request.report(
                ended(
                    request.caller,
                    request.headers,
                    posted,
                    request.server,
                    outcome,
                    tools=ANSWERED_HERE,
                    answered_bytes=len(result),
                    took_s=time.perf_counter() - began,
                )
            )
        return result

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
            async with self._updates.told(request, listener, asked.uris) as uris:
                listener.begin(Wanted(asked.lists, uris))
                await listener.serve(request.receive, request.send)
        finally:
            self._listeners.close(listener)

    def _session(self, request: Request) -> Session:
        return find_session(self._sessions, request.headers, ALL_SERVERS, request.caller.id)

    def _noticed(self, server: str, notice: Notice) -> None:
        self._changes.noticed(server, notice)
        self._updates.noticed(server, notice)

    def _tell(self, method: str) -> None:
        self._listeners.hear(ALL_SERVERS, Notice(method, None))
        message = notification_line(method, None).rstrip(b"\n")
        for session in self._sessions.of_server(ALL_SERVERS):
            session.post(message)
