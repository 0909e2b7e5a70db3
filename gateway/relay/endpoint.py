"""`/servers/<name>/mcp`: Streamable HTTP in front of one live child, for callers of both eras.

Source: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP.
"""

import asyncio
from collections.abc import Callable

import msgspec

from gateway.auth.caller import Caller
from gateway.relay.exchange import KEEP_ALIVE_S, Asked, Exchange
from gateway.relay.http import (
    BodyTooLarge,
    ClientGone,
    Headers,
    Receive,
    Scope,
    Send,
    end_stream,
    read_body,
    send_body,
    send_comment,
    send_event,
    send_too_large,
    start_stream,
)
from gateway.relay.refusal import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    SERVER_ERROR,
    Refusal,
    from_supervisor,
    modern_status,
)
from gateway.relay.request import Posted, read_message
from gateway.relay.sessions import Session, Sessions
from supervisor.children.child import Child
from supervisor.children.era import MODERN_VERSION, to_handshake_params, to_modern_params
from supervisor.children.link import Call, Notice
from supervisor.children.wire import (
    error_message,
    notification_line,
    result_message,
)
from supervisor.errors import SupervisorError, UnknownServer
from supervisor.slots.slot import Slot
from supervisor.spec import Era
from supervisor.supervisor import Supervisor

SESSION_HEADER = b"mcp-session-id"


class ServerEndpoint:
    """The relay's HTTP side. The caller has been authenticated before it gets here."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._sessions = Sessions()
        self._stop_listening: Callable[[], None] = supervisor.listen(self._noticed)

    def close_streams(self) -> None:
        """End the open GET streams; sessions and calls go on."""
        self._sessions.end_streams()

    def close(self) -> None:
        """End all sessions and their streams."""
        self._stop_listening()
        self._sessions.end_all()

    async def handle(
        self, scope: Scope, receive: Receive, send: Send, *, server: str, caller: Caller
    ) -> None:
        """Answer one request for one server."""
        headers = Headers(scope)
        try:
            slot = self._slot(server, caller)
            match scope["method"]:
                case "POST":
                    await self._post(slot, headers, receive, send, caller)
                case "GET":
                    await self._get(slot, headers, receive, send, caller)
                case "DELETE":
                    await self._delete(slot, headers, send, caller)
                case _:
                    await send_body(send, 405, headers={b"allow": b"POST, GET, DELETE"})
        except Refusal as refusal:
            message = error_message(None, refusal.code, refusal.message, refusal.data)
            await send_body(send, refusal.status, message)
        except BodyTooLarge:
            await send_too_large(send)
        except ClientGone:
            return

    def _slot(self, server: str, caller: Caller) -> Slot:
        try:
            slot = self._supervisor.slot(server)
        except UnknownServer as error:
            raise Refusal(INVALID_PARAMS, str(error), 404) from error
        if not caller.may_use(server):
            raise Refusal(INVALID_REQUEST, f"This token may not use server {server!r}.", 403)
        return slot

    async def _post(
        self, slot: Slot, headers: Headers, receive: Receive, send: Send, caller: Caller
    ) -> None:
        posted = read_message(await read_body(receive), headers)
        if posted.envelope.method is None or posted.envelope.id is None:
            if posted.era is Era.HANDSHAKE and posted.envelope.method == "notifications/cancelled":
                self._cancel(self._session(slot, headers, caller), posted)
            await send_body(send, 202)
            return
        try:
            await self._request(slot, posted, headers, receive, send, caller)
        except SupervisorError as error:
            await _refuse(send, posted, from_supervisor(error))
        except Refusal as refusal:
            await _refuse(send, posted, refusal)

    async def _request(
        self,
        slot: Slot,
        posted: Posted,
        headers: Headers,
        receive: Receive,
        send: Send,
        caller: Caller,
    ) -> None:
        request_id = _id(posted)
        if posted.era is Era.HANDSHAKE and posted.method == "initialize":
            child = await slot.child_for_call()
            session = self._sessions.open(slot.spec.name, caller.id)
            result = child.handshake.initialize_result(posted.fields.protocol_version)
            await send_body(
                send,
                200,
                result_message(request_id, result),
                headers={SESSION_HEADER: session.id.encode()},
            )
            return
        session = self._session(slot, headers, caller) if posted.era is Era.HANDSHAKE else None
        if session is not None and posted.method == "ping":
            await send_body(send, 200, result_message(request_id, b"{}"))
            return
        if posted.era is Era.MODERN and posted.method == "server/discover":
            child = await slot.child_for_call()
            await send_body(
                send, 200, result_message(request_id, child.handshake.discover_result())
            )
            return
        _check_tool(slot.spec.name, posted, caller)
        await self._relay(slot, posted, session, receive, send)

    async def _relay(
        self, slot: Slot, posted: Posted, session: Session | None, receive: Receive, send: Send
    ) -> None:
        request_id = _id(posted)
        asked = Asked(request_id, posted.method, posted.era, slot.spec.call_timeout_s)

        def ask(child: Child) -> tuple[Exchange, Call]:
            exchange = Exchange(asked, child, send)
            params = _in_era(child.handshake.era, posted)
            call = child.call(posted.method, params, on_progress=exchange.on_progress)
            if session is not None:
                session.calls[request_id] = (child.link, call)
            return exchange, call

        exchange, call = await slot.send(ask)
        try:
            # In the handshake era a closed connection is no cancellation.
            modern = posted.era is Era.MODERN
            await exchange.run(call, receive, cancel_on_disconnect=modern)
        finally:
            if session is not None and session.calls.get(request_id, (None, None))[1] is call:
                del session.calls[request_id]

    def _cancel(self, session: Session, posted: Posted) -> None:
        asked = posted.fields.request_id
        found = session.calls.get(bytes(asked)) if asked is not None else None
        if found is not None:
            link, call = found
            link.cancel(call, "cancelled by the caller")

    async def _get(
        self, slot: Slot, headers: Headers, receive: Receive, send: Send, caller: Caller
    ) -> None:
        if headers.get(b"mcp-protocol-version") == MODERN_VERSION:
            await send_body(send, 405, headers={b"allow": b"POST"})
            return
        session = self._session(slot, headers, caller)
        if session.stream is not None:
            raise Refusal(INVALID_REQUEST, "This session already has an open stream.", 409)
        session.stream = asyncio.Queue(256)
        await start_stream(send)
        gone = asyncio.ensure_future(_until_gone(receive))
        try:
            await _pump(session.stream, gone, send)
        finally:
            gone.cancel()
            session.stream = None

    async def _delete(self, slot: Slot, headers: Headers, send: Send, caller: Caller) -> None:
        if headers.get(b"mcp-protocol-version") == MODERN_VERSION:
            await send_body(send, 405, headers={b"allow": b"POST"})
            return
        self._sessions.end(self._session(slot, headers, caller))
        await send_body(send, 204)

    def _session(self, slot: Slot, headers: Headers, caller: Caller) -> Session:
        session_id = headers.get(SESSION_HEADER)
        if session_id is None:
            raise Refusal(
                INVALID_REQUEST, "The Mcp-Session-Id header is missing; initialize first."
            )
        session = self._sessions.find(session_id, slot.spec.name, caller.id)
        if session is None:
            raise Refusal(INVALID_REQUEST, "This session has ended; initialize again.", 404)
        return session

    def _noticed(self, server: str, notice: Notice) -> None:
        message = notification_line(notice.method, notice.params).rstrip(b"\n")
        for session in self._sessions.of_server(server):
            session.post(message)


def _check_tool(server: str, posted: Posted, caller: Caller) -> None:
    if posted.method == "tools/call" and not caller.may_call(server, posted.fields.name or ""):
        raise Refusal(
            SERVER_ERROR,
            f"This token may not call tool {posted.fields.name!r} of server {server!r}.",
            403,
        )


def _in_era(era: Era, posted: Posted) -> bytes | msgspec.Raw | None:
    """Return the params as a child of this era reads them."""
    params = posted.envelope.params
    if posted.era is era:
        return params
    return to_modern_params(params) if era is Era.MODERN else to_handshake_params(params)


def _id(posted: Posted) -> bytes:
    assert posted.envelope.id is not None
    return bytes(posted.envelope.id)


async def _refuse(send: Send, posted: Posted, refusal: Refusal) -> None:
    message = error_message(_id(posted), refusal.code, refusal.message, refusal.data)
    if refusal.status == 200 and posted.era is Era.MODERN:
        await send_body(send, modern_status(refusal.code), message)
    else:
        await send_body(send, refusal.status, message)


async def _pump(
    queue: "asyncio.Queue[bytes | None]", gone: "asyncio.Future[None]", send: Send
) -> None:
    """Write what is posted to a stream until it ends or its reader is gone."""
    while True:
        waiting = asyncio.ensure_future(queue.get())
        try:
            await asyncio.wait(
                (waiting, gone), timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            if not waiting.done():
                waiting.cancel()
        if gone.done():
            return
        if not waiting.done():
            await send_comment(send)
        elif (message := waiting.result()) is None:
            await end_stream(send)
            return
        else:
            await send_event(send, message)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
