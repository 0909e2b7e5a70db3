"""`/servers/<name>/mcp`: Streamable HTTP in front of one live child, for callers of both eras.

Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

from collections.abc import Awaitable, Callable

from gateway.auth.caller import Caller, CallerKind
from gateway.relay.accepting import check_accept
from gateway.relay.answering import McpEndpoint, Request
from gateway.relay.begun import Begun, never_receive, never_send
from gateway.relay.ended import Report, nobody
from gateway.relay.handshake_caller import HandshakeCallers
from gateway.relay.http import Headers
from gateway.relay.modern_caller import ModernCallers
from gateway.relay.places import Places
from gateway.relay.refusal import INVALID_PARAMS, INVALID_REQUEST, Refusal
from gateway.relay.request import Posted, read_message
from gateway.relay.sessions import Session
from gateway.relay.visit import Visit
from supervisor.errors import SupervisorError, UnknownServer
from supervisor.spec import Era
from supervisor.supervisor import Supervisor
from supervisor.tenant import caller_tenant


class ServerEndpoint(McpEndpoint):
    """The relay's HTTP side. The caller has been authenticated before it gets here."""

    def __init__(
        self, supervisor: Supervisor, report: Report = nobody, places: Places | None = None
    ) -> None:
        super().__init__(report, places)
        self._supervisor = supervisor
        self._handshake = HandshakeCallers(self._session_ended)
        self._modern = ModernCallers()
        self._stop_listening: tuple[Callable[[], None], ...] = (
            supervisor.listen(self._handshake.noticed),
            supervisor.listen(self._modern.noticed),
        )

    def forget(self, caller: str) -> None:
        """End what a token or a run has here that is not valid any more."""
        self._handshake.forget(caller)
        self._modern.forget(caller)
        for kind in CallerKind:
            self._supervisor.end_tenant(caller_tenant(kind, caller).key, "its caller is gone")

    def close_streams(self) -> None:
        """End the streams that stay open; sessions and calls go on."""
        self._handshake.end_streams()
        self._modern.end_streams()

    def close(self) -> None:
        """End all sessions and their streams."""
        for stop_listening in self._stop_listening:
            stop_listening()
        self._handshake.end_all()
        self._modern.end_all()

    def begin(self, caller: Caller, headers: Headers, server: str, body: bytes) -> Begun | None:
        """Send a tool call that can be sent at once.

        None: it is none, or something has to be awaited first, or it is refused; nothing was sent,
        and `handle` finds out, and says so.
        """
        try:
            check_accept("POST", headers)
            posted = read_message(body, headers)
            if posted.method != "tools/call" or posted.envelope.id is None:
                return None
            visit = self._visit(
                Request(
                    server,
                    caller,
                    headers,
                    never_receive,
                    never_send,
                    self._patience,
                    self._report,
                    self._places,
                )
            )
            callers = self._modern if posted.era is Era.MODERN else self._handshake
            return callers.begin(visit, posted)
        except (Refusal, SupervisorError):
            return None

    def ask(self, request: Request, posted: Posted) -> Awaitable[None]:
        """Have the caller's era answer a request."""
        callers = self._modern if posted.era is Era.MODERN else self._handshake
        return callers.ask(self._visit(request), posted)

    def tell(self, request: Request, posted: Posted) -> None:
        """Take what a session says besides."""
        self._handshake.tell(self._visit(request), posted)

    def listen(self, request: Request) -> Awaitable[None]:
        """Serve the stream of a session."""
        return self._handshake.listen(self._visit(request))

    def end(self, request: Request) -> Awaitable[None]:
        """End a session."""
        return self._handshake.end(self._visit(request))

    def _visit(self, request: Request) -> Visit:
        try:
            slot = self._supervisor.slot(request.server)
        except UnknownServer as error:
            raise Refusal(INVALID_PARAMS, str(error), 404) from error
        if not request.caller.may_use(request.server):
            sentence = f"This token may not use server {request.server!r}."
            raise Refusal(INVALID_REQUEST, sentence, 403)
        return Visit(slot, request)

    def _session_ended(self, session: Session) -> None:
        self._supervisor.end_tenant(session.tenant.key, "its session ended")
