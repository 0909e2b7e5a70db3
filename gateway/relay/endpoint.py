"""`/servers/<name>/mcp`: Streamable HTTP in front of one live child, for callers of both eras.

Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

from collections.abc import Callable
from functools import partial

from gateway.auth.caller import Caller, CallerKind
from gateway.relay.answering import by_method, refusing, take_posted
from gateway.relay.handshake_caller import HandshakeCallers
from gateway.relay.http import (
    Headers,
    Receive,
    Scope,
    Send,
)
from gateway.relay.modern_caller import ModernCallers
from gateway.relay.refusal import INVALID_PARAMS, INVALID_REQUEST, Refusal
from gateway.relay.request import Posted
from gateway.relay.sessions import Session
from gateway.relay.visit import Visit
from supervisor.errors import UnknownServer
from supervisor.slots.slot import Slot
from supervisor.spec import Era
from supervisor.supervisor import Supervisor
from supervisor.tenant import caller_tenant


class ServerEndpoint:
    """The relay's HTTP side. The caller has been authenticated before it gets here."""

    def __init__(self, supervisor: Supervisor) -> None:
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

    async def handle(
        self, scope: Scope, receive: Receive, send: Send, *, server: str, caller: Caller
    ) -> None:
        """Answer one request for one server."""
        await refusing(send, self._handle(scope, receive, send, server=server, caller=caller))

    async def _handle(
        self, scope: Scope, receive: Receive, send: Send, *, server: str, caller: Caller
    ) -> None:
        slot, headers = self._slot(server, caller), Headers.of(scope)
        visit = Visit(slot, caller, headers, receive, send)
        await by_method(
            scope["method"],
            headers,
            send,
            post=partial(self._post, visit),
            listen=partial(self._handshake.listen, visit),
            end=partial(self._handshake.end, visit),
        )

    def _session_ended(self, session: Session) -> None:
        self._supervisor.end_tenant(session.tenant.key, "its session ended")

    def _slot(self, server: str, caller: Caller) -> Slot:
        try:
            slot = self._supervisor.slot(server)
        except UnknownServer as error:
            raise Refusal(INVALID_PARAMS, str(error), 404) from error
        if not caller.may_use(server):
            raise Refusal(INVALID_REQUEST, f"This token may not use server {server!r}.", 403)
        return slot

    async def _post(self, visit: Visit) -> None:
        await take_posted(
            visit.headers,
            visit.receive,
            visit.send,
            tell=partial(self._handshake.tell, visit),
            ask=partial(self._ask, visit),
        )

    async def _ask(self, visit: Visit, posted: Posted) -> None:
        callers = self._modern if posted.era is Era.MODERN else self._handshake
        await callers.ask(visit, posted)
