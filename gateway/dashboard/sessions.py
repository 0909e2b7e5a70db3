"""The sessions of the owner's browsers: on the server, in memory and in the store.

A cookie holds a random value, the store its hash, so that a copied database opens nothing.
Sessions outlive a restart, and end when the login of the settings changes.
"""

import secrets
from collections.abc import Callable
from dataclasses import replace

from gateway.auth.run_tokens import token_hash
from gateway.dashboard.links import Links
from gateway.domain.dashboard_session import DashboardSession, Way
from gateway.domain.ids import new_id
from gateway.store.dashboard_sessions import DashboardSessionTable

SESSION_LIFE_S = 12 * 3600
MAX_SESSIONS = 200
"""The oldest ends when there is one more."""
MAX_AGENT_CHARACTERS = 200


class Sessions:
    """Opens sessions, says which are open, and ends them. Without a table they end with it."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        table: DashboardSessionTable | None = None,
        login: str = "",
    ) -> None:
        self._now_ms = now_ms
        self._table = table
        self._login = login
        self._open: dict[str, DashboardSession] = {}
        self._used_at: dict[str, int] = {}
        self.links = Links(lambda: now_ms() / 1000)
        self.on_ended: Callable[[], None] = lambda: None
        """Told when a session was ended before its time."""

    async def load(self) -> None:
        """Take up what was open before the gateway started. Raises StoreError."""
        if self._table is not None:
            await self._table.remove_ended(self._login, self._now_ms())
            self._open = dict(await self._table.all())

    async def open(self, way: Way, *, address: str, agent: str) -> str:
        """Return the value for the cookie of a new session. Raises StoreError."""
        now, value = self._now_ms(), secrets.token_urlsafe(32)
        session = DashboardSession(
            id=new_id("session"),
            way=way,
            created_at=now,
            expires_at=now + SESSION_LIFE_S * 1000,
            last_used_at=now,
            address=address,
            agent=agent[:MAX_AGENT_CHARACTERS],
        )
        ended = [each.id for each in self._open.values() if each.expires_at <= now]
        kept = [each.id for each in self._open.values() if each.expires_at > now]
        await self._end([*ended, *kept[: max(0, len(kept) - MAX_SESSIONS + 1)]])
        if self._table is not None:
            await self._table.add(session, token_hash(value), self._login)
        self._open[token_hash(value)] = session
        return value

    def find(self, value: str) -> DashboardSession | None:
        """Return the session that a cookie's value opens, None when there is none (any more)."""
        session = self._open.get(token_hash(value))
        return None if session is None or session.expires_at <= self._now_ms() else session

    def is_open(self, value: str) -> bool:
        """True while the session of this value exists and is younger than SESSION_LIFE_S."""
        return self.find(value) is not None

    def note_use(self, value: str) -> None:
        """Remember that a request came with this value."""
        if (session := self.find(value)) is not None:
            self._used_at[session.id] = self._now_ms()

    def last_used_at(self, session: DashboardSession) -> int:
        """Return when a request last came with a session."""
        return self._used_at.get(session.id, session.last_used_at)

    def all(self) -> tuple[DashboardSession, ...]:
        """Return the open sessions, oldest first."""
        now = self._now_ms()
        return tuple(each for each in self._open.values() if each.expires_at > now)

    async def close(self, value: str) -> None:
        """End the session of a cookie's value everywhere at once. Raises StoreError."""
        if (session := self._open.get(token_hash(value))) is not None:
            await self._end([session.id])

    async def end(self, session_id: str) -> bool:
        """End a session by its id; False when there is none. Raises StoreError."""
        if all(each.id != session_id for each in self.all()):
            return False
        await self._end([session_id])
        return True

    async def end_all(self) -> int:
        """End every session and return how many there were. Raises StoreError."""
        ids = [each.id for each in self.all()]
        await self._end(ids)
        return len(ids)

    async def note_uses(self) -> None:
        """Write down when sessions were used since the last time. Raises StoreError."""
        used, self._used_at = self._used_at, {}
        for value_hash, session in self._open.items():
            if session.id in used:
                self._open[value_hash] = replace(session, last_used_at=used[session.id])
        if self._table is not None:
            for session_id, at in used.items():
                await self._table.touch(session_id, at)

    async def _end(self, session_ids: list[str]) -> None:
        # First here: nobody gets in by them any more, whatever the store says.
        kept = {key: each for key, each in self._open.items() if each.id not in session_ids}
        self._open = kept
        self.on_ended()
        if self._table is not None:
            await self._table.remove(session_ids)
