"""Sessions of handshake-era callers: whose they are, what they have in flight, their stream.

A session belongs to a server's name, not to a child: it outlives restarts and reloads.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from supervisor.children.link import Call, Link

IDLE_S = 30 * 60.0
"""Hosted clients abandon nearly all of their sessions without a DELETE."""
MAX_SESSIONS = 10_000
STREAM_QUEUE = 256
"""Messages that wait for one slow reader; more are dropped, nobody waits for it."""


@dataclass(eq=False, slots=True)
class Session:
    """One handshake-era caller of one server."""

    id: str
    server: str
    owner: str
    """The token that opened it; no other may use it."""
    used_at: float
    calls: dict[bytes, tuple[Link, Call]] = field(default_factory=dict[bytes, tuple[Link, Call]])
    stream: asyncio.Queue[bytes | None] | None = None
    """Messages for the open GET stream; None ends it."""

    def post(self, message: bytes) -> None:
        """Hand a message to the open stream, if there is one that keeps up."""
        if self.stream is not None and not self.stream.full():
            self.stream.put_nowait(message)

    def close(self) -> None:
        """End the open stream."""
        if self.stream is not None:
            if self.stream.full():
                self.stream.get_nowait()
            self.stream.put_nowait(None)


class Sessions:
    """All sessions by id."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sessions: dict[str, Session] = {}

    def open(self, server: str, owner: str) -> Session:
        """Make a session; idle ones are dropped, and the oldest when there are too many."""
        self._drop_idle()
        while len(self._sessions) >= MAX_SESSIONS:
            self.end(min(self._sessions.values(), key=lambda s: s.used_at))
        session = Session(secrets.token_urlsafe(24), server, owner, self._now())
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
        for link, call in tuple(session.calls.values()):
            link.cancel(call, "the session ended")
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
