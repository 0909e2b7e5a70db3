"""Deliveries to webhooks: their log, the keys by which they are known again, and their runs.

Many at once are one transaction, so that whoever was told that a run was accepted finds its row,
and nobody's delivery starts two.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Delete, Select, Update, case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.delivery import Arrival, Delivery, DeliveryKey, Outcome, Verdict
from gateway.domain.run import RunStatus, Trigger
from gateway.store.database import Database, Row
from gateway.store.record import Record
from gateway.store.runs import RUN
from gateway.store.schema import runs, webhook_deliveries, webhook_keys, webhooks

DELIVERY = Record(Delivery, webhook_deliveries)
PRUNED_AT_ONCE = 500
"""Rows in one transaction."""
LOOKED_UP = 20_000
"""Rows whose ids are held at a time."""
_LISTED = tuple(column for column in DELIVERY.columns if column.name != "body")


class DeliveryTable:
    """Statements on `webhook_deliveries` and `webhook_keys`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def settle(
        self,
        arrivals: Sequence[Arrival],
        refused: Sequence[Delivery],
        *,
        now: int,
        max_queued: int,
    ) -> list[Verdict]:
        """Queue the runs of what arrived, and write down all of it with what was `refused`.

        Returns a verdict for each arrival; of several with the same key the first one counts. No
        more runs of webhooks than `max_queued` are queued afterwards.
        """

        async def work(connection: AsyncConnection) -> list[Verdict]:
            settling = _Settling(self._db, connection, now)
            await settling.look(arrivals, refused, max_queued)
            verdicts = [settling.verdict(arrival) for arrival in arrivals]
            await settling.write(arrivals, verdicts, refused)
            return verdicts

        return await self._db.transact(work)

    async def get(self, delivery_id: str) -> Delivery | None:
        """Return a delivery with its body, or None."""
        statement = select(*DELIVERY.columns).where(webhook_deliveries.c.id == delivery_id)
        return DELIVERY.maybe(await self._db.one(statement))

    async def newest(
        self, webhook_id: str, limit: int, before: str | None = None
    ) -> tuple[Delivery, ...]:
        """Return the newest deliveries to a webhook, newest first, without their bodies.

        `before`: only older ones than this delivery; none when there is none of this id any more.
        """
        own = webhook_deliveries.c
        statement = select(*_LISTED).where(own.webhook_id == webhook_id)
        if before is not None:
            last = select(own.received_at, own.id).where(own.id == before).subquery()
            statement = statement.join(
                last,
                (own.received_at < last.c.received_at)
                | ((own.received_at == last.c.received_at) & (own.id < last.c.id)),
            )
        statement = statement.order_by(own.received_at.desc(), own.id.desc()).limit(limit)
        return DELIVERY.all(await self._db.all(statement))

    async def counts(self, since: int) -> dict[str, Counter[Outcome]]:
        """Return how many deliveries of each outcome the logs hold since an instant, by webhook."""
        own = webhook_deliveries.c
        statement = (
            select(own.webhook_id, own.outcome, func.count().label("count"))
            .where(own.received_at >= since)
            .group_by(own.webhook_id, own.outcome)
        )
        counted: dict[str, Counter[Outcome]] = {}
        for row in await self._db.all(statement):
            counted.setdefault(row["webhook_id"], Counter())[row["outcome"]] = row["count"]
        return counted

    async def prune(self, now: int, *, kept: int, kept_bytes: int, kept_since: int) -> None:
        """Forget keys that expired, and of each webhook's log all but the newest.

        `kept`: lines a webhook, none from before `kept_since`; `kept_bytes`: of their bodies.
        """
        lines = _newest(func.row_number(), "place")
        sizes = case((webhook_deliveries.c.body.is_(None), 0), else_=webhook_deliveries.c.size)
        bodies = _newest(func.sum(sizes), "place")
        own = webhook_deliveries.c
        keys = select(webhook_keys.c.value.label("id")).where(webhook_keys.c.expires_at <= now)
        old = select(own.id).where(own.received_at < kept_since)
        heavy = select(own.id).where(own.body.is_not(None), own.id.in_(_beyond(bodies, kept_bytes)))
        without_body = update(webhook_deliveries).values(body=None)
        await self._change_all(keys, delete(webhook_keys), webhook_keys.c.value)
        for ids in (old, _beyond(lines, kept)):
            await self._change_all(ids, delete(webhook_deliveries), own.id)
        await self._change_all(heavy, without_body, own.id)

    async def _change_all(
        self, ids: Select[Any], change: Delete | Update, key: Column[str]
    ) -> None:
        """Change all of `ids`, a few in each transaction: others need the only writer."""
        while True:
            found = [row["id"] for row in await self._db.all(ids.limit(LOOKED_UP))]
            for first in range(0, len(found), PRUNED_AT_ONCE):
                await self._db.change(change.where(key.in_(found[first : first + PRUNED_AT_ONCE])))
            if len(found) < LOOKED_UP:
                return


class _Settling:
    """One transaction over a batch."""

    def __init__(self, database: Database, connection: AsyncConnection, now: int) -> None:
        self._db = database
        self._connection = connection
        self._now = now
        self._room = 0
        self._there: frozenset[str] = frozenset()
        self._known: dict[str, Row] = {}

    async def look(
        self, arrivals: Sequence[Arrival], refused: Sequence[Delivery], max_queued: int
    ) -> None:
        """Read what decides the verdicts. The transaction holds the writer, so it stays true."""
        mentioned = {arrival.delivery.webhook_id for arrival in arrivals}
        mentioned |= {delivery.webhook_id for delivery in refused}
        found = await self._rows(select(webhooks.c.id).where(webhooks.c.id.in_(mentioned)))
        self._there = frozenset(row["id"] for row in found)
        if not arrivals:
            return
        (counted,) = await self._rows(
            select(func.count().label("queued"))
            .select_from(runs)
            .where(runs.c.status == RunStatus.QUEUED, runs.c.trigger == Trigger.WEBHOOK)
        )
        self._room = max_queued - counted["queued"]
        keys = [arrival.key.value for arrival in arrivals if arrival.key]
        known = select(webhook_keys).where(
            webhook_keys.c.value.in_(keys), webhook_keys.c.expires_at > self._now
        )
        self._known = {row["value"]: row for row in await self._rows(known)}

    def verdict(self, arrival: Arrival) -> Verdict:
        """Decide one arrival."""
        if arrival.delivery.webhook_id not in self._there:
            return Verdict(None)
        if arrival.key is not None and (known := self._known.get(arrival.key.value)):
            return _again(known, arrival.key)
        if self._room <= 0:
            return Verdict(Outcome.QUEUE_FULL)
        self._room -= 1
        if arrival.key is not None:
            self._known[arrival.key.value] = _row(arrival, arrival.key)
        return Verdict(Outcome.ACCEPTED, arrival.run.id)

    async def write(
        self, arrivals: Sequence[Arrival], verdicts: Sequence[Verdict], refused: Sequence[Delivery]
    ) -> None:
        """Write runs, keys, counts and log."""
        pairs = list(zip(arrivals, verdicts, strict=True))
        accepted = [each for each, verdict in pairs if verdict.outcome is Outcome.ACCEPTED]
        if accepted:
            rows = _without_absent([RUN.values(each.run) for each in accepted])
            await self._connection.execute(runs.insert(), rows)
            await self._put_keys(accepted)
            counted = Counter(arrival.delivery.webhook_id for arrival in accepted)
            for webhook_id, count in counted.items():
                await self._count(webhook_id, count)
        lines = [_line(a.delivery, verdict) for a, verdict in pairs if verdict.outcome]
        lines += [DELIVERY.values(each) for each in refused if each.webhook_id in self._there]
        if lines:
            await self._connection.execute(webhook_deliveries.insert(), lines)

    async def _put_keys(self, accepted: Sequence[Arrival]) -> None:
        rows = [_row(arrival, arrival.key) for arrival in accepted if arrival.key]
        if not rows:
            return
        expired = [row["value"] for row in rows]
        await self._connection.execute(
            delete(webhook_keys).where(
                webhook_keys.c.value.in_(expired), webhook_keys.c.expires_at <= self._now
            )
        )
        # The primary key is what makes it once: a second writer's transaction would fail here.
        await self._connection.execute(webhook_keys.insert(), rows)

    async def _count(self, webhook_id: str, count: int) -> None:
        await self._connection.execute(
            update(webhooks)
            .where(webhooks.c.id == webhook_id)
            .values(deliveries=webhooks.c.deliveries + count, last_delivery_at=self._now)
        )

    async def _rows(self, statement: Select[Any]) -> Sequence[Row]:
        return (await self._connection.execute(statement)).mappings().all()  # pyright: ignore[reportReturnType] - keys are column names


def _without_absent(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows without the columns that are empty in all: each one costs its conversion."""
    there = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in there} for row in rows]


def _row(arrival: Arrival, key: DeliveryKey) -> dict[str, Any]:
    return {
        "value": key.value,
        "webhook_id": arrival.delivery.webhook_id,
        "digest": key.digest,
        "run_id": arrival.run.id,
        "expires_at": key.expires_at,
    }


def _again(known: Row, key: DeliveryKey) -> Verdict:
    if known["digest"] != key.digest:
        return Verdict(Outcome.CONFLICT)
    return Verdict(Outcome.DUPLICATE, known["run_id"])


def _line(delivery: Delivery, verdict: Verdict) -> dict[str, Any]:
    values = DELIVERY.values(delivery)
    assert verdict.outcome is not None
    # Of a delivery that came before, the first one's line has the body.
    body = None if verdict.outcome is Outcome.DUPLICATE else delivery.body
    status = STATUS[verdict.outcome]
    return {
        **values,
        "outcome": verdict.outcome,
        "status": status,
        "run_id": verdict.run_id,
        "body": body,
    }


STATUS = {
    Outcome.ACCEPTED: 202,
    Outcome.DUPLICATE: 200,
    Outcome.CONFLICT: 409,
    Outcome.QUEUE_FULL: 503,
}
"""What an arrival is answered with."""


def _newest(measure: Any, name: str) -> Any:
    """Return ids with `measure` counted over the log of each webhook from its newest line on."""
    own = webhook_deliveries.c
    order = (own.received_at.desc(), own.id.desc())
    return select(
        own.id, measure.over(partition_by=own.webhook_id, order_by=order).label(name)
    ).subquery()


def _beyond(counted: Any, limit: int) -> Any:
    return select(counted.c.id).where(counted.c.place > limit)
