"""Data keys, wrapped by the master key, and all that they seal."""

from collections.abc import Callable

from sqlalchemy import delete, inspect, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.secret import DataKey, Sealed, SealedPlace
from gateway.store.database import Database, rows_of
from gateway.store.record import Record
from gateway.store.schema import data_keys
from gateway.store.sealed_values import SEALED_COLUMNS

DATA_KEY = Record(DataKey, data_keys)
OLDEST_FIRST = select(*DATA_KEY.columns).order_by(data_keys.c.created_at, data_keys.c.id)


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
        return DATA_KEY.all(await self._db.all(OLDEST_FIRST))

    async def count_sealed(self) -> int:
        """Return how many values are sealed, in all tables."""
        counted = [await self._db.all(column.count()) for column in SEALED_COLUMNS]
        return sum(int(value) for (row,) in counted for value in row.values())

    async def replace(
        self,
        fresh: DataKey,
        reseal: Callable[[SealedPlace, Sealed], Sealed],
        committed: Callable[[], None],
    ) -> int:
        """Put `fresh` in the place of every other key and reseal every value, all or nothing.

        Returns how many values there are. What `reseal` raises leaves everything as it was.
        """

        async def work(connection: AsyncConnection) -> int:
            await connection.execute(data_keys.insert().values(DATA_KEY.values(fresh)))
            done = 0
            for column in SEALED_COLUMNS:
                for row in rows_of(await connection.execute(column.rows())):
                    sealed = reseal(column.place(row), column.sealed(row))
                    await connection.execute(column.replace(row, sealed))
                    done += 1
            await connection.execute(delete(data_keys).where(data_keys.c.id != fresh.id))
            return done

        return await self._db.transact(work, committed)

    async def rewrap(
        self, rewrap: Callable[[DataKey], DataKey], committed: Callable[[], None]
    ) -> None:
        """Give every key another wrapping, all or none."""

        async def work(connection: AsyncConnection) -> None:
            for key in DATA_KEY.all(rows_of(await connection.execute(OLDEST_FIRST))):
                new = update(data_keys).where(data_keys.c.id == key.id)
                await connection.execute(new.values(wrapped=rewrap(key).wrapped))

        await self._db.transact(work, committed)


async def find_data_keys(connection: AsyncConnection) -> tuple[DataKey, ...]:
    """Return every key of a database of any schema, oldest first."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(data_keys.name)):
        return ()
    return DATA_KEY.all(rows_of(await connection.execute(OLDEST_FIRST)))
