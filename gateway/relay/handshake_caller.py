"""Callers of the handshake era: they initialise, and have a session and a stream from then on.

Source: MCP 2025-11-25, basic/transports, Streamable HTTP.
"""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial

from gateway.relay.begun import Begun
from gateway.relay.continuation import Continuation
from gateway.relay.exchange import Exchange
from gateway.relay.http import Headers, Receive, Send, send_body, start_stream
from gateway.relay.interests import MESSAGE, UPDATED, level_of, uri_of
from gateway.relay.refusal import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Refusal,
)
from gateway.relay.request import Posted
from gateway.relay.sessions import Session, Sessions
from gateway.relay.streams import pump, until_gone
from gateway.relay.visit import Visit
from gateway.relay.wishes import WISHES, wish
from supervisor.children.call import Notice
from supervisor.children.era import (
    CAPABILITIES_KEY,
    LOG_LEVEL_KEY,
    introduction,
    is_of_other_era,
    read_capabilities,
)
from supervisor.children.wire import notification_line, result_message
from supervisor.slots.instances import Instance
from supervisor.slots.levels import at_least
from supervisor.spec import Era

SESSION_HEADER = b"mcp-session-id"
OURS_TO_KNOW = frozenset(
    {"notifications/initialized", "notifications/cancelled", "notifications/progress"}
)
"""Notifications of a client that reach no child as they are."""


class HandshakeCallers:
    """Answers the requests of callers that have sessions, and owns these."""

    def __init__(self, on_end: Callable[[Session], None]) -> None:
        """`on_end` is told of each session that has ended."""
        self._sessions = Sessions(on_end=on_end)

    def forget(self, owner: str) -> None:
        """End the sessions of a token that is not valid any more."""
        for session in self._sessions.of_owner(owner):
            self._sessions.end(session)

    def end_streams(self) -> None:
        """End the open GET streams; sessions and calls go on."""
        self._sessions.end_streams()

    def end_all(self) -> None:
        """End all sessions and their streams."""
        self._sessions.end_all()

    def noticed(self, server: str, notice: Notice) -> None:
        """Tell the sessions of a server what belongs to no call."""
        tell(self._sessions.of_server(server), server, notice)

    def tell(self, visit: Visit, posted: Posted) -> None:
        """Take a notification or a response."""
        session = self._session(visit)
        place = visit.slot.place(session.tenant)
        if isinstance(place, Instance) and posted.envelope.method not in OURS_TO_KNOW:
            child = place.current
            if child is not None and posted.envelope.method is not None:
                child.link.notify(posted.envelope.method, posted.envelope.params)
        take(session, posted)

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
            await send_body(visit.request.send, 200, result_message(posted.id, b"{}"))
            return
        if is_of_other_era(Era.HANDSHAKE, posted.method):
            raise Refusal(METHOD_NOT_FOUND, f"This revision has no method {posted.method}.", 200)
        if posted.method in WISHES:
            await wish(visit.server, visit.slot.place(session.tenant), posted, session)
            await send_body(visit.request.send, 200, result_message(posted.id, b"{}"))
            return
        visit.check_tool(posted)
        await relay(visit, posted, session)

    def begin(self, visit: Visit, posted: Posted) -> Begun | None:
        """Send a tool call to the child that runs; None where anything has to be awaited first.

        Raises:
            SupervisorError, Refusal: it was not sent, and why.
        """
        session = self._session(visit)
        child = visit.slot.place(session.tenant).current
        if child is None or child.handshake.era is Era.MODERN:
            return None
        visit.check_tool(posted)
        exchange = visit.send_to(child, posted, session)
        session.calls[posted.id] = exchange
        return Begun(
            exchange,
            visit.request.patience,
            partial(_answer, session, posted, exchange),
            partial(_over, session, posted, exchange),
        )

    async def listen(self, visit: Visit) -> None:
        """Serve a session's stream of what belongs to no call, until its reader is gone."""
        await serve_stream(self._session(visit), visit.request.receive, visit.request.send)

    async def end(self, visit: Visit) -> None:
        """End a session at its caller's wish."""
        self._sessions.end(self._session(visit))
        await send_body(visit.request.send, 204)

    async def _initialize(self, visit: Visit, posted: Posted) -> None:
        params = posted.envelope.params
        session = self._sessions.open(
            visit.server, visit.request.caller.id, read_capabilities(params), introduction(params)
        )
        try:
            child = await visit.slot.place(session.tenant).child_for_call()
        except BaseException:
            self._sessions.end(session)
            raise
        result = child.handshake.initialize_result(posted.fields.protocol_version)
        await send_body(
            visit.request.send,
            200,
            result_message(posted.id, result),
            headers={SESSION_HEADER: session.id.encode()},
        )

    def _session(self, visit: Visit) -> Session:
        return find_session(
            self._sessions, visit.request.headers, visit.server, visit.request.caller.id
        )


def find_session(sessions: Sessions, headers: Headers, server: str, owner: str) -> Session:
    """Return the session that a request names. Raises Refusal when it names no live one."""
    session_id = headers.get(SESSION_HEADER)
    if session_id is None:
        raise Refusal(INVALID_REQUEST, "The Mcp-Session-Id header is missing; initialize first.")
    session = sessions.find(session_id, server, owner)
    if session is None:
        raise Refusal(INVALID_REQUEST, "This session has ended; initialize again.", 404)
    return session


def tell(sessions: Iterable[Session], server: str, notice: Notice) -> None:
    """Tell sessions what belongs to no call: those whom it concerns, on their open streams."""
    line = notification_line(notice.method, notice.params).rstrip(b"\n")
    for session in sessions:
        if notice.tenant not in (None, session.tenant.key):
            continue
        if notice.method == MESSAGE:
            wanted = session.log_level
            concerned = wanted is not None and at_least(level_of(notice), wanted)
        elif notice.method == UPDATED:
            concerned = session.interests.follows(server, uri_of(notice))
        else:
            concerned = True
        if concerned:
            session.post(line)


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
    waiting = session.open_stream()
    await start_stream(send)
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await pump(waiting, gone, send)
    finally:
        gone.cancel()
        session.stream = None


async def relay(visit: Visit, posted: Posted, session: Session) -> None:
    """Have a session's request answered by the visited server's child.

    Raises:
        SupervisorError: it was not sent, and why.
    """
    place = visit.slot.place(session.tenant)
    exchange = await visit.send(posted, place, session, _envelope(session))
    session.calls[posted.id] = exchange
    if exchange.child.handshake.era is Era.MODERN:
        Continuation(session, exchange)
    await _answer(session, posted, exchange)


async def _answer(session: Session, posted: Posted, exchange: Exchange) -> None:
    try:
        # In the handshake era a closed connection is no cancellation.
        await exchange.run(cancel_on_disconnect=False)
    finally:
        _over(session, posted, exchange)


def _over(session: Session, posted: Posted, exchange: Exchange) -> None:
    # Another request with the same id may have taken its place.
    if session.calls.get(posted.id) is exchange:
        del session.calls[posted.id]


def _envelope(session: Session) -> dict[str, object]:
    """Return what a modern child is told of a session with each of its requests."""
    told: dict[str, object] = {CAPABILITIES_KEY: session.capabilities}
    return told if session.log_level is None else {**told, LOG_LEVEL_KEY: session.log_level}


def _cancel(session: Session, posted: Posted) -> None:
    asked = posted.fields.request_id
    found = session.calls.get(bytes(asked)) if asked is not None else None
    if found is not None:
        found.child.link.cancel(found.call, "cancelled by the caller")
