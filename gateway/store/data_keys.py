"""Data keys, wrapped by the master key."""

from sqlalchemy import select

from gateway.domain.secret import DataKey
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import data_keys

DATA_KEY = Record(DataKey, data_keys)


class DataKeyTable:
    """Statements on `data_keys`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, key: DataKey) -> None:
        """Store a new key, durably: what it seals is lost without it."""
        statement = data_keys.insert().values(DATA_KEY.values(key)).returning(data_keys.c.id)
        await self._db.change_durably(statement)

    async def all(self) -> tuple[DataKey, ...]:
        """Return every key, oldest first."""
        statement = select(*DATA_KEY.columns).order_by(data_keys.c.created_at, data_keys.c.id)
        return DATA_KEY.all(await self._db.all(statement))
