"""Callers of the handshake era: they initialise, and have a session and a stream from then on.

Source: MCP 2025-11-25, basic/transports, Streamable HTTP.
"""

import asyncio

from gateway.relay.continuation import Continuation
from gateway.relay.exchange import Sent
from gateway.relay.http import Headers, Receive, Send, send_body, start_stream
from gateway.relay.refusal import INVALID_REQUEST, METHOD_NOT_FOUND, Refusal
from gateway.relay.request import Posted
from gateway.relay.sessions import STREAM_QUEUE, Session, Sessions
from gateway.relay.streams import pump, until_gone
from gateway.relay.visit import Visit
from supervisor.children.era import CAPABILITIES_KEY, is_of_other_era, read_capabilities
from supervisor.children.link import Notice
from supervisor.children.wire import notification_line, result_message
from supervisor.spec import Era

SESSION_HEADER = b"mcp-session-id"


class HandshakeCallers:
    """Answers the requests of callers that have sessions, and owns these."""

    def __init__(self) -> None:
        self._sessions = Sessions()

    def end_streams(self) -> None:
        """End the open GET streams; sessions and calls go on."""
        self._sessions.end_streams()

    def end_all(self) -> None:
        """End all sessions and their streams."""
        self._sessions.end_all()

    def noticed(self, server: str, notice: Notice) -> None:
        """Tell the sessions of a server what belongs to no call."""
        message = notification_line(notice.method, notice.params).rstrip(b"\n")
        for session in self._sessions.of_server(server):
            session.post(message)

    def tell(self, visit: Visit, posted: Posted) -> None:
        """Take a notification or a response."""
        take(self._session(visit), posted)

    async def ask(self, visit: Visit, posted: Posted) -> None:
        """Answer one request.

        Raises:
            SupervisorError, Refusal: it gets no answer of the server's, and why.
        """
        if posted.method == "initialize":
            await self._initialize(visit, posted)
            return
        session = self._session(visit)
        if posted.method == "ping":
            await send_body(visit.send, 200, result_message(posted.id, b"{}"))
            return
        if is_of_other_era(Era.HANDSHAKE, posted.method):
            raise Refusal(METHOD_NOT_FOUND, f"This revision has no method {posted.method}.", 200)
        visit.check_tool(posted)
        await relay(visit, posted, session)

    async def listen(self, visit: Visit) -> None:
        """Serve a session's stream of what belongs to no call, until its reader is gone."""
        await serve_stream(self._session(visit), visit.receive, visit.send)

    async def end(self, visit: Visit) -> None:
        """End a session at its caller's wish."""
        self._sessions.end(self._session(visit))
        await send_body(visit.send, 204)

    async def _initialize(self, visit: Visit, posted: Posted) -> None:
        child = await visit.slot.child_for_call()
        capabilities = read_capabilities(posted.envelope.params)
        session = self._sessions.open(visit.server, visit.caller.id, capabilities)
        result = child.handshake.initialize_result(posted.fields.protocol_version)
        await send_body(
            visit.send,
            200,
            result_message(posted.id, result),
            headers={SESSION_HEADER: session.id.encode()},
        )

    def _session(self, visit: Visit) -> Session:
        return find_session(self._sessions, visit.headers, visit.server, visit.caller.id)


def find_session(sessions: Sessions, headers: Headers, server: str, owner: str) -> Session:
    """Return the session that a request names. Raises Refusal when it names no live one."""
    session_id = headers.get(SESSION_HEADER)
    if session_id is None:
        raise Refusal(INVALID_REQUEST, "The Mcp-Session-Id header is missing; initialize first.")
    session = sessions.find(session_id, server, owner)
    if session is None:
        raise Refusal(INVALID_REQUEST, "This session has ended; initialize again.", 404)
    return session


def take(session: Session, posted: Posted) -> None:
    """Take a session's notification or response; what is not ours to know is dropped."""
    match posted.envelope.method:
        case None:
            session.questions.answered(posted.envelope)
        case "notifications/cancelled":
            _cancel(session, posted)
        case "notifications/progress":
            session.questions.progressed(posted.envelope.params)
        case _:
            return


async def serve_stream(session: Session, receive: Receive, send: Send) -> None:
    """Serve a session's stream until its reader is gone. Raises Refusal when it has one."""
    if session.stream is not None:
        raise Refusal(INVALID_REQUEST, "This session already has an open stream.", 409)
    session.stream = asyncio.Queue(STREAM_QUEUE)
    await start_stream(send)
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await pump(session.stream, gone, send)
    finally:
        gone.cancel()
        session.stream = None


async def relay(visit: Visit, posted: Posted, session: Session) -> None:
    """Have a session's request answered by the visited server's child.

    Raises:
        SupervisorError: it was not sent, and why.
    """
    sent: Sent | None = None

    def note(now: Sent) -> None:
        nonlocal sent
        sent = session.calls[posted.id] = now
        if now.exchange.child.handshake.era is Era.MODERN:
            Continuation(session, now)

    try:
        # In the handshake era a closed connection is no cancellation.
        await visit.relay(
            posted,
            cancel_on_disconnect=False,
            owner=session,
            envelope={CAPABILITIES_KEY: session.capabilities},
            on_sent=note,
        )
    finally:
        # Another request with the same id may have taken its place.
        if sent is not None and session.calls.get(posted.id) is sent:
            del session.calls[posted.id]


def _cancel(session: Session, posted: Posted) -> None:
    asked = posted.fields.request_id
    found = session.calls.get(bytes(asked)) if asked is not None else None
    if found is not None:
        found.link.cancel(found.call, "cancelled by the caller")
