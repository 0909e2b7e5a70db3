"""What is pinned of servers' tools: one record each, which only the supervisor reads."""

from sqlalchemy import delete, select

from gateway.store.database import Database
from gateway.store.schema import definition_pins


class DefinitionPinTable:
    """Statements on `definition_pins`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def all(self) -> dict[str, bytes]:
        """Return every record by server."""
        rows = await self._db.all(select(definition_pins.c.server, definition_pins.c.record))
        return {row["server"]: row["record"] for row in rows}

    async def put(self, server: str, record: bytes, now: int) -> None:
        """Keep a server's record, in place of an older one."""
        new = {"record": record, "changed_at": now}
        statement = self._db.insert(definition_pins).values(server=server, **new)
        await self._db.change(statement.on_conflict_do_update(index_elements=["server"], set_=new))

    async def delete(self, server: str) -> None:
        """Forget a server's record."""
        await self._db.change(delete(definition_pins).where(definition_pins.c.server == server))
