"""Sealed credentials of servers. What is in them only the vault knows."""

from sqlalchemy import delete, select

from gateway.domain.secret import Sealed
from gateway.store.database import Database
from gateway.store.schema import credentials


class CredentialTable:
    """Statements on `credentials`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, server: str, key: str, sealed: Sealed, now: int) -> None:
        """Store the value of `key`, in place of an older one."""
        new = {"key_id": sealed.key_id, "sealed": sealed.data, "set_at": now}
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

    async def set_times(self, server: str) -> dict[str, int]:
        """Return when each key of one server was set, in key order."""
        statement = (
            select(credentials.c.key, credentials.c.set_at)
            .where(credentials.c.server == server)
            .order_by(credentials.c.key)
        )
        return {row["key"]: row["set_at"] for row in await self._db.all(statement)}

    async def delete(self, server: str, key: str) -> bool:
        """Delete one value; False when there is none."""
        statement = delete(credentials).where(
            credentials.c.server == server, credentials.c.key == key
        )
        return await self._db.change(statement) == 1

    async def delete_server(self, server: str) -> None:
        """Delete every value of one server."""
        await self._db.change(delete(credentials).where(credentials.c.server == server))
