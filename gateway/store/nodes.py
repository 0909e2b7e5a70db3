"""The gateways that share the database; every time is that of the database's clock."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, and_, case, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.node import Beat, Newcomer, Node, NodeState
from gateway.domain.run import RunStatus
from gateway.store.affordable import CLAIMED
from gateway.store.database import Database, rows_of
from gateway.store.record import Record
from gateway.store.schema import HEAD, nodes, runs
from gateway.store.types import INTEGER

NODE = Record(Node, nodes)
UNIX_EPOCH_DAYS = 2440587.5
DAY_MS = 86_400_000
GONE = "(gone)"
"""Behind the name of a node whose name another one has now."""


class NodeTable:
    """Statements on `nodes`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    @property
    def shared(self) -> bool:
        """True of a database that several gateways can use."""
        return self._db.shared

    async def now_ms(self) -> int:
        """Return what the database's clock says."""
        row = await self._db.one(select(self._now().label("now")))
        assert row is not None, "a select without a table is one row"
        return row["now"]

    async def join(self, comer: Newcomer, *, lease_ms: int) -> Node | None:
        """Write down that a node is there; None when another one of its name lives.

        What it had under an earlier name is its own. On SQLite it is the only one, so everything
        is.
        """
        return await self._db.transact(lambda connection: self._join(connection, comer, lease_ms))

    async def _join(
        self, connection: AsyncConnection, comer: Newcomer, lease_ms: int
    ) -> Node | None:
        own = nodes.c.identity == comer.identity
        if self._db.shared:
            taken = select(nodes.c.name).where(
                nodes.c.name == comer.name, ~own, live_at(self._now())
            )
            if rows_of(await connection.execute(taken)):
                return None
            # Its predecessor's: what conversations they have is not here.
            orphan = runs.c.node.in_(select(nodes.c.name).where(nodes.c.name == comer.name, ~own))
            await connection.execute(update(runs).where(orphan).values(node=f"{comer.name} {GONE}"))
        mine = select(nodes.c.name).where(own) if self._db.shared else None
        await connection.execute(
            update(runs)
            .where(
                runs.c.status.in_((RunStatus.QUEUED, *CLAIMED)),
                runs.c.node.is_not(None) if mine is None else runs.c.node.in_(mine),
            )
            .values(node=comer.name)
        )
        gone = delete(nodes)
        await connection.execute(
            gone if mine is None else gone.where(own & (nodes.c.name != comer.name))
        )
        return await self._put(connection, comer, lease_ms)

    async def _put(
        self, connection: AsyncConnection, comer: Newcomer, lease_ms: int
    ) -> Node | None:
        values: dict[str, Any] = {
            "name": comer.name,
            "identity": comer.identity,
            "started_at": self._now(),
            "beat_at": self._now(),
            "lease_ms": lease_ms,
            "version": comer.version,
            "schema": HEAD,
            "slots": comer.slots,
            "state": NodeState.ACTIVE,
            "address": comer.address,
        }
        # Again, for another one of this name may have joined since.
        free = (nodes.c.identity == comer.identity) | ~live_at(self._now())
        statement = self._db.insert(nodes).values(values)
        put = statement.on_conflict_do_update(index_elements=["name"], set_=values, where=free)
        rows = rows_of(await connection.execute(put.returning(*NODE.columns)))
        return NODE.read(rows[0]) if rows else None

    async def beat(
        self, name: str, identity: str, *, lease_ms: int, alone_lease_ms: int
    ) -> Beat | None:
        """Renew a node's row; None when it is not there or another node's.

        `alone_lease_ms` counts while no other node lives.
        """
        other = nodes.alias("other")
        others = select(other.c.name).where(
            other.c.name != name, other.c.beat_at + other.c.lease_ms >= self._now()
        )
        statement = (
            update(nodes)
            .where(nodes.c.name == name, nodes.c.identity == identity)
            .values(
                beat_at=self._now(),
                lease_ms=case((others.exists(), lease_ms), else_=alone_lease_ms),
            )
            .returning(nodes.c.beat_at, nodes.c.lease_ms, nodes.c.state)
        )
        rows = await self._db.change_returning(statement)
        if not rows:
            return None
        row = rows[0]
        return Beat(row["beat_at"], row["lease_ms"], row["state"])

    async def leave(self, name: str, identity: str) -> None:
        """Forget a node that has ended in order, or that it lives if conversations wait for it."""
        own = (nodes.c.name == name) & (nodes.c.identity == identity)
        waiting = select(runs.c.id).where(
            runs.c.status == RunStatus.QUEUED, runs.c.node == name, runs.c.session_id.is_not(None)
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(nodes).where(own).values(lease_ms=0))
            await connection.execute(delete(nodes).where(own, ~waiting.exists()))

        await self._db.transact(work)

    async def all(self) -> tuple[Node, ...]:
        """Return every node, by name; also those that have not been heard of for long."""
        return NODE.all(await self._db.all(select(*NODE.columns).order_by(nodes.c.name)))

    async def set_state(self, name: str, state: NodeState) -> bool:
        """Have a node take runs, or none; False when there is no node of that name."""
        statement = update(nodes).where(nodes.c.name == name).values(state=state)
        return await self._db.change(statement) == 1

    async def forget(self, silent_ms: int) -> None:
        """Remove the nodes that have not been heard of for so long."""
        await self._db.change(delete(nodes).where(nodes.c.beat_at < self._now() - silent_ms))

    def _now(self) -> ColumnElement[int]:
        return database_now_ms(shared=self._db.shared)


def database_now_ms(*, shared: bool) -> ColumnElement[int]:
    """Return what the clock of PostgreSQL (`shared`) or SQLite says while a statement runs."""
    if shared:
        return cast(func.floor(func.extract("epoch", func.clock_timestamp()) * 1000), INTEGER)
    return cast((func.julianday("now") - UNIX_EPOCH_DAYS) * DAY_MS, Integer)


def live_at(now: ColumnElement[int]) -> ColumnElement[bool]:
    """Return what holds for nodes of which others take nothing over."""
    return and_(nodes.c.beat_at + nodes.c.lease_ms >= now)
