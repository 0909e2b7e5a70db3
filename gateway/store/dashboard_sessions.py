"""Sessions of the dashboard, known by the hash of their cookie's value."""

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select, update

from gateway.domain.dashboard_session import DashboardSession
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import dashboard_sessions as sessions

SESSION = Record(DashboardSession, sessions)


class DashboardSessionTable:
    """Statements on `dashboard_sessions`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, session: DashboardSession, cookie_hash: str, login: str) -> None:
        """Store a session that was opened while `login` was what the owner logs in with."""
        values = SESSION.values(session)
        await self._db.change(sessions.insert().values(**values, hash=cookie_hash, login=login))

    async def all(self) -> Mapping[str, DashboardSession]:
        """Return every session under the hash of its cookie, oldest first."""
        statement = select(*SESSION.columns, sessions.c.hash).order_by(sessions.c.created_at)
        return {
            row["hash"]: SESSION.read({key: row[key] for key in row if key != "hash"})
            for row in await self._db.all(statement)
        }

    async def remove(self, session_ids: Collection[str]) -> None:
        """Forget these."""
        if session_ids:
            await self._db.change(delete(sessions).where(sessions.c.id.in_(session_ids)))

    async def remove_ended(self, login: str, now: int) -> None:
        """Forget what has expired, and what was opened with another login than this one."""
        ended = (sessions.c.expires_at <= now) | (sessions.c.login != login)
        await self._db.change(delete(sessions).where(ended))

    async def touch(self, session_id: str, now: int) -> None:
        """Note when a session was last used."""
        statement = update(sessions).where(sessions.c.id == session_id)
        await self._db.change(statement.values(last_used_at=now))
