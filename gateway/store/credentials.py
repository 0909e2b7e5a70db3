"""Sealed credentials of servers. What is in them only the vault knows."""

from collections.abc import Collection

from sqlalchemy import and_, delete, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.secret import CredentialTimes, Sealed
from gateway.store.database import Database
from gateway.store.schema import credentials

NAMES = select(credentials.c.server, credentials.c.key)


class CredentialTable:
    """Statements on `credentials`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, server: str, key: str, sealed: Sealed, now: int) -> None:
        """Store the value of `key`, in place of an older one."""
        new = {
            "key_id": sealed.key_id,
            "sealed": sealed.data,
            "set_at": now,
            "last_used_at": None,
        }
        statement = self._db.insert(credentials).values(server=server, key=key, **new)
        await self._db.change(
            statement.on_conflict_do_update(index_elements=["server", "key"], set_=new)
        )

    async def get_sealed(self, server: str) -> dict[str, Sealed]:
        """Return the sealed values of one server by key."""
        statement = select(credentials.c.key, credentials.c.key_id, credentials.c.sealed).where(
            credentials.c.server == server
        )
        rows = await self._db.all(statement)
        return {row["key"]: Sealed(row["key_id"], row["sealed"]) for row in rows}

    async def names(self) -> frozenset[tuple[str, str]]:
        """Return server and key of every value that is set."""
        rows = await self._db.all(NAMES)
        return frozenset((row["server"], row["key"]) for row in rows)

    async def times(self, server: str) -> dict[str, CredentialTimes]:
        """Return when each key of one server was set and used, in key order."""
        statement = (
            select(credentials.c.key, credentials.c.set_at, credentials.c.last_used_at)
            .where(credentials.c.server == server)
            .order_by(credentials.c.key)
        )
        return {
            row["key"]: CredentialTimes(row["set_at"], row["last_used_at"])
            for row in await self._db.all(statement)
        }

    async def note_used(self, server: str, keys: Collection[str], now: int) -> None:
        """Write down that a child of `server` got the values of `keys`."""
        mine = and_(credentials.c.server == server, credentials.c.key.in_(keys))
        await self._db.change(update(credentials).where(mine).values(last_used_at=now))

    async def delete(self, server: str, key: str) -> bool:
        """Delete one value; False when there is none."""
        statement = delete(credentials).where(
            credentials.c.server == server, credentials.c.key == key
        )
        return await self._db.change(statement) == 1

    async def delete_server(self, server: str) -> None:
        """Delete every value of one server."""
        await self._db.change(delete(credentials).where(credentials.c.server == server))


async def find_names(connection: AsyncConnection) -> frozenset[tuple[str, str]]:
    """Return server and key of every value in a database of any schema."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(credentials.name)):
        return frozenset()
    return frozenset((row.server, row.key) for row in await connection.execute(NAMES))
