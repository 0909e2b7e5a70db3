"""Runs of several gateways on one database: which of them has a run, and what it left."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, update

from gateway.domain.run import Run, RunStatus
from gateway.store.affordable import CLAIMED
from gateway.store.database import Database
from gateway.store.nodes import database_now_ms, live_at
from gateway.store.record import Record
from gateway.store.schema import nodes, runs

RUN = Record(Run, runs)


@dataclass(frozen=True, slots=True)
class LostRun:
    """A claimed run whose node is gone."""

    run: Run
    stop_asked: str | None
    """Why somebody wanted it to end, if somebody did."""


class NodeRunTable:
    """Statements on `runs` by their node."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def claimed_by(self, node: str | None) -> tuple[Run, ...]:
        """Return the runs that a node has claimed and not finished, oldest first.

        With them those of which nobody knows who has claimed them; None: all runs.
        """
        statement = select(*RUN.columns).where(runs.c.status.in_(CLAIMED))
        if node is not None:
            statement = statement.where(or_(runs.c.node == node, runs.c.node.is_(None)))
        return RUN.all(await self._db.all(statement.order_by(runs.c.created_at, runs.c.id)))

    async def lost(self) -> tuple[LostRun, ...]:
        """Return the claimed runs of nodes that do not live, oldest first."""
        statement = (
            select(*RUN.columns, runs.c.stop_asked)
            .where(runs.c.status.in_(CLAIMED), self._node_is_gone())
            .order_by(runs.c.created_at, runs.c.id)
        )
        found: list[LostRun] = []
        for row in await self._db.all(statement):
            fields = dict(row)
            stop_asked = fields.pop("stop_asked")
            found.append(LostRun(RUN.read(fields), stop_asked))
        return tuple(found)

    async def stranded(self, silent_ms: int) -> tuple[Run, ...]:
        """Return queued runs whose conversation is on a node that has been gone for so long."""
        statement = select(*RUN.columns).where(
            runs.c.status == RunStatus.QUEUED,
            runs.c.session_id.is_not(None),
            self._node_is_gone(silent_ms),
        )
        return RUN.all(await self._db.all(statement.order_by(runs.c.created_at, runs.c.id)))

    async def ask_stop(self, run_id: str, node: str, reason: str) -> bool:
        """Have another node than `node` end a run that it has claimed; False when none has."""
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.status.in_(CLAIMED), runs.c.node != node)
            .values(stop_asked=reason)
        )
        return await self._db.change(statement) == 1

    async def asked_to_stop(self, node: str) -> dict[str, str]:
        """Return why others want a node's claimed runs to end, by their ids."""
        statement = select(runs.c.id, runs.c.stop_asked).where(
            runs.c.status.in_(CLAIMED), runs.c.node == node, runs.c.stop_asked.is_not(None)
        )
        return {row["id"]: row["stop_asked"] for row in await self._db.all(statement)}

    async def why_to_stop(self, run_id: str) -> str | None:
        """Return why somebody wants a claimed run to end, if somebody does."""
        row = await self._db.one(select(runs.c.stop_asked).where(runs.c.id == run_id))
        return row["stop_asked"] if row else None

    async def counts(self) -> dict[str, int]:
        """Return how many runs each node has claimed and not finished, by its name."""
        statement = (
            select(runs.c.node, func.count().label("count"))
            .where(runs.c.status.in_(CLAIMED), runs.c.node.is_not(None))
            .group_by(runs.c.node)
        )
        return {row["node"]: row["count"] for row in await self._db.all(statement)}

    def _node_is_gone(self, silent_ms: int = 0) -> ColumnElement[bool]:
        since = database_now_ms(shared=self._db.shared) - silent_ms
        live = select(nodes.c.name).where(nodes.c.name == runs.c.node, live_at(since))
        return runs.c.node.is_not(None) & ~live.correlate(runs).exists()
