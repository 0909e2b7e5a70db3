"""What attempts at runs left in their work folders. It goes with its run."""

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.run_file import LeftFiles, RunFile, RunFileSet
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import run_file_sets, run_files, runs

FILE = Record(RunFile, run_files)
SET = Record(RunFileSet, run_file_sets)


class RunFileTable:
    """Statements on `run_file_sets` and `run_files`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, left: LeftFiles) -> bool:
        """Store what an attempt left, all of it or nothing.

        False when it is stored already, or the run is gone.
        """
        counts = left.counts
        first = self._db.insert(run_file_sets).values(SET.values(counts))
        wanted = first.on_conflict_do_nothing().returning(run_file_sets.c.run_id)
        there = select(runs.c.id).where(runs.c.id == counts.run_id).with_for_update()

        async def work(connection: AsyncConnection) -> bool:
            if (await connection.execute(there)).first() is None:
                return False
            if (await connection.execute(wanted)).first() is None:
                return False
            if left.files:
                rows = [FILE.values(file) for file in left.files]
                await connection.execute(self._db.insert(run_files), rows)
            return True

        return await self._db.transact(work)

    async def sets(self, run_id: str) -> tuple[RunFileSet, ...]:
        """Return what each attempt at a run left, counted, oldest first."""
        own = run_file_sets.c
        statement = select(*SET.columns).where(own.run_id == run_id).order_by(own.attempt)
        return SET.all(await self._db.all(statement))

    async def of_run(
        self, run_id: str, *, skip: int = 0, limit: int | None = None
    ) -> tuple[RunFile, ...]:
        """Return the files of a run, those of its last attempt first, as they were found."""
        own = run_files.c
        statement = (
            select(*FILE.columns)
            .where(own.run_id == run_id)
            .order_by(own.attempt.desc(), own.seq)
            .offset(skip)
            .limit(limit)
        )
        return FILE.all(await self._db.all(statement))

    async def get(self, run_id: str, attempt: int, seq: int) -> RunFile | None:
        """Return one file, or None."""
        own = run_files.c
        statement = select(*FILE.columns).where(
            own.run_id == run_id, own.attempt == attempt, own.seq == seq
        )
        return FILE.maybe(await self._db.one(statement))

    async def find(self, run_id: str, path: str) -> RunFile | None:
        """Return the file that the last attempt with such a path left, or None."""
        own = run_files.c
        statement = (
            select(*FILE.columns)
            .where(own.run_id == run_id, own.path == path)
            .order_by(own.attempt.desc(), own.seq)
            .limit(1)
        )
        return FILE.maybe(await self._db.one(statement))

    async def paths(self, run_ids: Collection[str]) -> dict[str, list[str]]:
        """Return the paths of the files that are kept of runs, by run."""
        own = run_files.c
        statement = (
            select(own.run_id, own.path)
            .where(own.run_id.in_(run_ids), own.reason == "")
            .order_by(own.run_id, own.attempt, own.seq)
        )
        found: dict[str, list[str]] = {}
        for row in await self._db.all(statement):
            found.setdefault(row["run_id"], []).append(row["path"])
        return found

    async def kept_sets(self) -> tuple[RunFileSet, ...]:
        """Return the sets of which something is kept, oldest first."""
        own = run_file_sets.c
        statement = select(*SET.columns).where(own.kept > 0).order_by(own.at, own.run_id)
        return SET.all(await self._db.all(statement))

    async def kept_bytes(self) -> int:
        """Return how much is kept of all runs."""
        total = func.coalesce(func.sum(run_file_sets.c.bytes), 0).label("total")
        row = await self._db.one(select(total))
        assert row is not None, "an aggregate without groups is one row"
        return int(row["total"])

    async def let_go(self, counts: RunFileSet, reason: str) -> None:
        """Note that the files of a set are not kept any more."""
        sets, files = run_file_sets.c, run_files.c
        await self._db.change_together(
            update(run_file_sets)
            .where(sets.run_id == counts.run_id, sets.attempt == counts.attempt)
            .values(kept=0, bytes=0),
            (
                update(run_files)
                .where(
                    files.run_id == counts.run_id,
                    files.attempt == counts.attempt,
                    files.reason == "",
                )
                .values(reason=reason),
            ),
        )
