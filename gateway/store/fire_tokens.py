"""Tokens by which callers outside start a job; kept as hashes."""

from sqlalchemy import delete, select, update

from gateway.domain.fire_token import FireToken
from gateway.store.database import Database
from gateway.store.schema import job_fire_tokens


class FireTokenTable:
    """Statements on `job_fire_tokens`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, job_id: str, token_hash: str, now: int) -> None:
        """Give a job this token; the one that it had ends."""
        values = {"hash": token_hash, "created_at": now, "last_used_at": None}
        statement = self._db.insert(job_fire_tokens).values(job_id=job_id, **values)
        await self._db.change(
            statement.on_conflict_do_update(index_elements=["job_id"], set_=values)
        )

    async def remove(self, job_id: str) -> bool:
        """End a job's token; False when it has none."""
        statement = delete(job_fire_tokens).where(job_fire_tokens.c.job_id == job_id)
        return await self._db.change(statement) == 1

    async def find(self, job_id: str) -> FireToken | None:
        """Return a job's token, or None."""
        own = job_fire_tokens.c
        statement = select(own.created_at, own.last_used_at).where(own.job_id == job_id)
        row = await self._db.one(statement)
        return None if row is None else FireToken(row["created_at"], row["last_used_at"])

    async def job_of(self, token_hash: str) -> str | None:
        """Return the id of the job that a token fires, or None."""
        statement = select(job_fire_tokens.c.job_id).where(job_fire_tokens.c.hash == token_hash)
        row = await self._db.one(statement)
        return None if row is None else row["job_id"]

    async def note_use(self, job_id: str, now: int) -> None:
        """Remember when a job's token was last used."""
        statement = update(job_fire_tokens).where(job_fire_tokens.c.job_id == job_id)
        await self._db.change(statement.values(last_used_at=now))
