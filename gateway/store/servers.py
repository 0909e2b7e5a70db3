"""Which servers a person switched on or off. Code and metadata live in folders."""

from sqlalchemy import delete, select

from gateway.store.database import Database
from gateway.store.schema import servers


class ServerTable:
    """Statements on `servers`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def enabled(self, name: str) -> bool | None:
        """Return what was chosen for this server, or None when nothing was."""
        row = await self._db.one(select(servers.c.enabled).where(servers.c.name == name))
        return None if row is None else row["enabled"]

    async def set_enabled(self, name: str, enabled: bool) -> None:  # noqa: FBT001 - the value to store
        """Note the choice for this server."""
        statement = self._db.insert(servers).values(name=name, enabled=enabled)
        await self._db.change(
            statement.on_conflict_do_update(index_elements=["name"], set_={"enabled": enabled})
        )

    async def delete(self, name: str) -> None:
        """Forget the choice for this server."""
        await self._db.change(delete(servers).where(servers.c.name == name))
