"""`/servers/<name>/mcp`: Streamable HTTP in front of one live child, for callers of both eras.

Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

from collections.abc import Callable

from gateway.auth.caller import Caller, CallerKind
from gateway.relay.handshake_caller import HandshakeCallers
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
from gateway.relay.modern_caller import ModernCallers
from gateway.relay.refusal import INVALID_PARAMS, INVALID_REQUEST, Refusal, from_supervisor
from gateway.relay.request import read_message
from gateway.relay.sessions import Session
from gateway.relay.visit import Visit
from supervisor.children.era import MODERN_VERSION
from supervisor.children.wire import error_message
from supervisor.errors import SupervisorError, UnknownServer
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
        try:
            slot = self._slot(server, caller)
            visit = Visit(slot, caller, Headers.of(scope), receive, send)
            match scope["method"]:
                case "POST":
                    await self._post(visit)
                case "GET" | "DELETE" if _is_modern(visit):
                    await send_body(send, 405, headers={b"allow": b"POST"})
                case "GET":
                    await self._handshake.listen(visit)
                case "DELETE":
                    await self._handshake.end(visit)
                case _:
                    await send_body(send, 405, headers={b"allow": b"POST, GET, DELETE"})
        except Refusal as refusal:
            message = error_message(refusal.id, refusal.code, refusal.message, refusal.data)
            await send_body(send, refusal.status, message)
        except BodyTooLarge:
            await send_too_large(send)
        except ClientGone:
            return

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
        posted = read_message(await read_body(visit.receive), visit.headers)
        if posted.envelope.method is None or posted.envelope.id is None:
            if posted.era is Era.HANDSHAKE:
                self._handshake.tell(visit, posted)
            await send_body(visit.send, 202)
            return
        callers = self._modern if posted.era is Era.MODERN else self._handshake
        try:
            await callers.ask(visit, posted)
        except SupervisorError as error:
            await visit.refuse(posted, from_supervisor(error))
        except Refusal as refusal:
            await visit.refuse(posted, refusal)


def _is_modern(visit: Visit) -> bool:
    return visit.headers.get(b"mcp-protocol-version") == MODERN_VERSION
