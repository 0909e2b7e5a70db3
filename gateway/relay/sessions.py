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

from gateway.relay.exchange import Exchange
from gateway.relay.interests import Interests, level_of
from gateway.relay.questions import NobodyListens, Questions
from supervisor.children.asking import ChildRequest, is_declared
from supervisor.children.call import Answer, Call, Notice
from supervisor.children.wire import notification_line
from supervisor.slots.levels import at_least
from supervisor.tenant import Tenant

IDLE_S = 30 * 60.0
"""Hosted clients abandon nearly all of their sessions without a DELETE."""
SWEEP_EVERY_S = 60.0
"""Idle sessions are looked for this often, for each may hold a process."""
MAX_SESSIONS = 10_000
SHOWN_CHARACTERS = 6
"""Of a session's id, so that people can tell two of them apart and nobody can use one."""
OPENING_S = 5.0
"""A client opens its stream right after it has initialised, if it ever does."""
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
    introduction: bytes | None = None
    """The params of `initialize` for a child of its own."""
    log_level: str | None = None
    """What it wants to read at least; None: it never said."""
    interests: Interests = field(default_factory=Interests)
    ended: bool = False
    calls: dict[bytes, Exchange] = field(default_factory=dict[bytes, Exchange])
    questions: Questions = field(default_factory=Questions)
    stream: asyncio.Queue[bytes | None] | None = None
    """Messages for the open GET stream; None ends it."""
    _tenant: Tenant | None = None
    _early: list[Callable[[], None]] | None = field(default_factory=list[Callable[[], None]])
    """What its child asked before there could be a stream; None: it had its time."""

    @property
    def tenant(self) -> Tenant:
        """What it is to servers that give each session an instance."""
        if self._tenant is None:
            shown = f"session {self.id[:SHOWN_CHARACTERS]}... of {self.owner}"
            self._tenant = Tenant(f"session:{self.id}", shown, self.introduction, self)
        return self._tenant

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
        if self._early is not None and not self.calls and self.stream is None:
            # Asked while it was initialised: its client cannot have opened a stream yet.
            self._early.append(partial(self.ask, request, None))
            return
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
        if self.log_level is not None and not at_least(level_of(notice), self.log_level):
            return
        line = notification_line(notice.method, notice.params).rstrip(b"\n")
        self._deliver(self._exchange(call), line)

    def open_stream(self) -> asyncio.Queue[bytes | None]:
        """Return the queue of a new GET stream; what waited for one is asked on it."""
        self.stream = asyncio.Queue(STREAM_QUEUE)
        self.end_opening()
        return self.stream

    def end_opening(self) -> None:
        """Ask what waited for a first stream; where none was opened, the child is refused."""
        early, self._early = self._early, None
        for ask in early or ():
            ask()

    def close(self) -> None:
        """End the open stream."""
        if self.stream is not None:
            if self.stream.full():
                self.stream.get_nowait()
            self.stream.put_nowait(None)

    def _exchange(self, call: Call | None) -> Exchange | None:
        return next((exchange for exchange in self.calls.values() if exchange.call is call), None)

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

    def __init__(
        self,
        now: Callable[[], float] = time.monotonic,
        on_end: Callable[[Session], None] | None = None,
    ) -> None:
        """`on_end` is told of each session that has ended."""
        self._now = now
        self._on_end = on_end
        self._sessions: dict[str, Session] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def open(
        self,
        server: str,
        owner: str,
        capabilities: Mapping[str, Any],
        introduction: bytes | None = None,
    ) -> Session:
        """Make a session; the one that was idle for longest ends when there are too many."""
        while len(self._sessions) >= MAX_SESSIONS:
            self.end(next(iter(self._sessions.values())))
        session = Session(
            secrets.token_urlsafe(24), server, owner, self._now(), capabilities, introduction
        )
        self._sessions[session.id] = session
        asyncio.get_running_loop().call_later(OPENING_S, session.end_opening)
        if self._sweep is None:
            self._sweep_later()
        return session

    def find(self, session_id: str, server: str, owner: str) -> Session | None:
        """Return a live session of this server and owner."""
        session = self._sessions.get(session_id)
        if session is None or session.server != server or session.owner != owner:
            return None
        now = self._now()
        if self._is_idle(session, now):
            self.end(session)
            return None
        session.used_at = now
        # Kept in the order of use: the first one goes when there are too many.
        self._sessions[session.id] = self._sessions.pop(session.id)
        return session

    def end(self, session: Session) -> None:
        """Forget a session and cancel what it has in flight."""
        if self._sessions.pop(session.id, None) is None:
            return
        session.ended = True
        session.end_opening()
        for exchange in tuple(session.calls.values()):
            exchange.child.link.cancel(exchange.call, "the session ended")
        session.questions.end()
        session.interests.drop_all()
        session.close()
        if self._on_end is not None:
            self._on_end(session)

    def of_owner(self, owner: str) -> Iterator[Session]:
        """Yield the sessions of one token."""
        yield from (s for s in tuple(self._sessions.values()) if s.owner == owner)

    def of_server(self, server: str) -> Iterator[Session]:
        """Yield the sessions of one server."""
        yield from (s for s in tuple(self._sessions.values()) if s.server == server)

    def end_streams(self) -> None:
        """End the open stream of every session."""
        for session in self._sessions.values():
            session.close()

    def end_all(self) -> None:
        """End every session."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        for session in tuple(self._sessions.values()):
            self.end(session)

    def end_idle(self) -> None:
        """End the sessions that nobody used for long."""
        now = self._now()
        for session in tuple(self._sessions.values()):
            if self._is_idle(session, now):
                self.end(session)

    def _is_idle(self, session: Session, now: float) -> bool:
        return now - session.used_at > IDLE_S and session.stream is None and not session.calls

    def _sweep_later(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(SWEEP_EVERY_S, self._sweep_now)

    def _sweep_now(self) -> None:
        self._sweep = None
        self.end_idle()
        if self._sessions:
            self._sweep_later()
