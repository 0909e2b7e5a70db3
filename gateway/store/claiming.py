"""Which queued run a gateway takes next, and taking it."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Executable, Select, case, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.budget import DayLimits
from gateway.domain.run import Run, RunStatus, Trigger
from gateway.store.affordable import CLAIMED, affordable
from gateway.store.database import Row, rows_of
from gateway.store.nodes import database_now_ms, live_at
from gateway.store.record import Record
from gateway.store.schema import nodes, runs

Which: TypeAlias = Callable[[Collection[str]], ColumnElement[bool]]
"""Returns what holds for the run to take, given the jobs that have no room."""
RUN = Record(Run, runs)
CLAIM_LOCK = 0x636C6175_64650002
"""Number of the PostgreSQL advisory lock under which gateways claim, one after the other."""
CLAIM_WAIT_MS = 10_000
"""How long a claim waits for that of another gateway, which the database ends before if it stands
still; see `engines.IDLE_TIMEOUT_MS`."""

_URGENCY = case(
    {Trigger.QUICK: 0, Trigger.WEBHOOK: 1, Trigger.MANUAL: 2}, value=runs.c.trigger, else_=3
)


def startable(
    columns: Select[Any],
    now: int,
    without_jobs: Collection[str],
    within: DayLimits | None,
    node: str | None,
) -> Select[Any]:
    """Return the queued runs that may start, the most urgent first, of equals the oldest."""
    if within is not None:
        columns = columns.where(*affordable(within))
    if node is not None:
        # A conversation goes on where it began: it lies there in files.
        columns = columns.where(
            or_(runs.c.session_id.is_(None), runs.c.node.is_(None), runs.c.node == node)
        )
    return columns.where(
        runs.c.status == RunStatus.QUEUED,
        or_(runs.c.not_before.is_(None), runs.c.not_before <= now),
        or_(runs.c.expires_at.is_(None), runs.c.expires_at > now),
        has_room(without_jobs),
    ).order_by(_URGENCY, runs.c.created_at, runs.c.id)


async def claim_in_turn(
    connection: AsyncConnection,
    which: Which,
    now: int,
    node: str | None,
) -> Sequence[Row]:
    """Claim while no other gateway does, so that limits of jobs and of the day hold for all."""
    await connection.execute(select(func.set_config("lock_timeout", str(CLAIM_WAIT_MS), true())))
    await connection.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
    full = (
        select(runs.c.job_id)
        .where(runs.c.status.in_(CLAIMED), runs.c.job_id.is_not(None))
        .group_by(runs.c.job_id)
        .having(func.count() >= func.min(runs.c.concurrency))
    )
    jobs_without_room = [row["job_id"] for row in rows_of(await connection.execute(full))]
    free = which(jobs_without_room)
    if node is not None:
        # One that the others take for lost, because it stood still, claims when it is back.
        lives = select(nodes.c.name).where(
            nodes.c.name == node, live_at(database_now_ms(shared=True))
        )
        free &= lives.exists()
    statement = claiming(free, now, node)
    return rows_of(await connection.execute(statement))


def claiming(which: ColumnElement[bool], now: int, node: str | None) -> Executable:
    """Return the statement that takes the queued runs of which `which` is true."""
    return (
        update(runs)
        .where(which, runs.c.status == RunStatus.QUEUED)
        .values(
            status=RunStatus.STARTING,
            attempt=runs.c.attempt + 1,
            started_at=now,
            not_before=None,
            error=None,
            node=node,
        )
        .returning(*RUN.columns)
    )


def has_room(full: Collection[str]) -> ColumnElement[bool]:
    """Return what holds for runs of no job, and of jobs that are not among `full`."""
    return or_(runs.c.job_id.is_(None), runs.c.job_id.not_in(sorted(full)))
