"""What attempts at runs had and did. It goes with its run."""

from collections.abc import Sequence

from sqlalchemy import select, update

from gateway.domain.run_record import RunRecord, ToolCall
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import run_calls, run_records

RECORD = Record(RunRecord, run_records)
CALL = Record(ToolCall, run_calls)


class RunRecordTable:
    """Statements on `run_records` and `run_calls`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def begin(self, record: RunRecord) -> None:
        """Store the record of an attempt that begins; one that is there stays as it is."""
        statement = self._db.insert(run_records).values(RECORD.values(record))
        await self._db.change(statement.on_conflict_do_nothing())

    async def end(self, record: RunRecord) -> None:
        """Store what is known of an attempt at its end."""
        statement = update(run_records).where(
            run_records.c.run_id == record.run_id, run_records.c.attempt == record.attempt
        )
        await self._db.change(statement.values(servers=record.servers, calls=record.calls))

    async def add_calls(self, calls: Sequence[ToolCall]) -> None:
        """Store calls that have ended; one that is there stays as it is."""
        if calls:
            statement = self._db.insert(run_calls).on_conflict_do_nothing()
            await self._db.change(statement, [CALL.values(call) for call in calls])

    async def of_run(self, run_id: str) -> tuple[RunRecord, ...]:
        """Return the record of each attempt that had begun, oldest first."""
        statement = (
            select(*RECORD.columns)
            .where(run_records.c.run_id == run_id)
            .order_by(run_records.c.attempt)
        )
        return RECORD.all(await self._db.all(statement))

    async def calls(self, run_id: str, *, limit: int) -> tuple[ToolCall, ...]:
        """Return the first calls of a run in their order."""
        statement = (
            select(*CALL.columns)
            .where(run_calls.c.run_id == run_id)
            .order_by(run_calls.c.attempt, run_calls.c.seq)
            .limit(limit)
        )
        return CALL.all(await self._db.all(statement))
