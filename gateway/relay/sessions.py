"""Sessions of handshake-era callers: whose they are, what they have in flight, their stream.

A session belongs to a server's name, not to a child: it outlives restarts and reloads.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gateway.relay.exchange import Exchange, Sent
from gateway.relay.questions import NobodyListens, Questions
from supervisor.children.asking import ChildRequest, is_declared
from supervisor.children.link import Answer, Call, Notice
from supervisor.children.wire import notification_line

IDLE_S = 30 * 60.0
"""Hosted clients abandon nearly all of their sessions without a DELETE."""
MAX_SESSIONS = 10_000
STREAM_QUEUE = 256
"""Messages that wait for one slow reader; more are dropped, nobody waits for it."""


@dataclass(eq=False, slots=True)
class Session:
    """One handshake-era caller of one server; an `Owner` of its calls."""

    id: str
    server: str
    owner: str
    """The token that opened it; no other may use it."""
    used_at: float
    capabilities: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What its client declared."""
    calls: dict[bytes, Sent] = field(default_factory=dict[bytes, Sent])
    questions: Questions = field(default_factory=Questions)
    stream: asyncio.Queue[bytes | None] | None = None
    """Messages for the open GET stream; None ends it."""

    @property
    def caller(self) -> str:
        """Whose token it calls with."""
        return self.owner

    @property
    def waiting(self) -> bool:
        """False: it may have other calls than the one in which it was asked something."""
        return False

    @property
    def expects_log(self) -> bool:
        """True: what its level leaves out is left out when it is told."""
        return True

    def post(self, message: bytes) -> bool:
        """Hand a message to the open stream; False when there is none that keeps up."""
        if self.stream is None or self.stream.full():
            return False
        self.stream.put_nowait(message)
        return True

    def declares(self, request: ChildRequest) -> bool:
        """Return whether its client declared that it can be asked this."""
        return is_declared(self.capabilities, request.method, request.params)

    def ask(self, request: ChildRequest, call: Call | None) -> None:
        """Pass a child's request on: on its call's own stream, or on the session's."""
        exchange = self._exchange(call)
        try:
            question = self.questions.ask(
                request.method, request.params, partial(self._deliver, exchange)
            )
        except NobodyListens:
            request.refuse("The client has no open stream on which it could be asked.")
            return
        if exchange is not None:
            exchange.hold()
        request.on_withdrawn = partial(self.questions.withdraw, question)
        question.on_progress = request.tell_progress
        question.future.add_done_callback(partial(_pass_back, request, exchange))

    def hear(self, notice: Notice, call: Call | None) -> None:
        """Pass on a log message that was written for this session alone."""
        line = notification_line(notice.method, notice.params).rstrip(b"\n")
        self._deliver(self._exchange(call), line)

    def close(self) -> None:
        """End the open stream."""
        if self.stream is not None:
            if self.stream.full():
                self.stream.get_nowait()
            self.stream.put_nowait(None)

    def _exchange(self, call: Call | None) -> Exchange | None:
        return next((sent.exchange for sent in self.calls.values() if sent.call is call), None)

    def _deliver(self, exchange: Exchange | None, message: bytes) -> bool:
        return (exchange is not None and exchange.push(message)) or self.post(message)


def _pass_back(
    request: ChildRequest, exchange: Exchange | None, answered: asyncio.Future[Answer]
) -> None:
    if exchange is not None:
        exchange.release()
    if answered.cancelled():
        request.refuse("The client's session has ended.")
        return
    answer = answered.result()
    if answer.result is not None:
        request.answer(answer.result)
    elif answer.error is not None:
        request.answer_error(answer.error)


class Sessions:
    """All sessions by id."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}

    def open(self, server: str, owner: str, capabilities: Mapping[str, Any]) -> Session:
        """Make a session; idle ones are dropped, and the oldest when there are too many."""
        self._drop_idle()
        while len(self._sessions) >= MAX_SESSIONS:
            self.end(min(self._sessions.values(), key=lambda s: s.used_at))
        session = Session(secrets.token_urlsafe(24), server, owner, self._now(), capabilities)
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str, server: str, owner: str) -> Session | None:
        """Return a live session of this server and owner."""
        session = self._sessions.get(session_id)
        if session is None or session.server != server or session.owner != owner:
            return None
        now = self._now()
        if now - session.used_at > IDLE_S and session.stream is None and not session.calls:
            self.end(session)
            return None
        session.used_at = now
        return session

    def end(self, session: Session) -> None:
        """Forget a session and cancel what it has in flight."""
        self._sessions.pop(session.id, None)
        for sent in tuple(session.calls.values()):
            sent.link.cancel(sent.call, "the session ended")
        session.questions.end()
        session.close()

    def of_server(self, server: str) -> Iterator[Session]:
        """Yield the sessions of one server."""
        yield from (s for s in tuple(self._sessions.values()) if s.server == server)

    def end_streams(self) -> None:
        """End the open stream of every session."""
        for session in self._sessions.values():
            session.close()

    def end_all(self) -> None:
        """End every session."""
        for session in tuple(self._sessions.values()):
            self.end(session)

    def _drop_idle(self) -> None:
        limit = self._now() - IDLE_S
        for session in tuple(self._sessions.values()):
            if session.used_at < limit and session.stream is None and not session.calls:
                self.end(session)
