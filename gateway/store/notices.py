"""Notices and their sendings: an outbox that is filled in the transactions of what happened."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
from sqlalchemy import ColumnElement, Executable, Insert, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.domain.notice import (
    KeptNotice,
    Notice,
    NoticeState,
    Occasion,
    Sending,
    SendingState,
    SendingView,
)
from gateway.store.database import Database, Row, rows_of
from gateway.store.record import Record
from gateway.store.schema import channels, notices, sendings

NOTICE = Record(Notice, notices)
SENDING_LOCK = 0x636C6175_64650003
"""Number of the PostgreSQL advisory lock of the gateway that sends."""
BATCH = 200
"""Notices that are settled in one transaction."""
IN_SUMMARY = 20
"""Titles that a summary is made of; of the others it has the number."""

Summarise = Callable[[Occasion, Sequence[str], int, int], Notice]
"""Makes a summary of an occasion, some titles, how many notices there were, and now."""


def insert_notice(notice: Notice) -> Insert:
    """Return the statement that stores a notice; `NoticeTable.ring` after its commit."""
    return notices.insert().values(**NOTICE.values(notice), state=NoticeState.NEW)


class NoticeTable:
    """Statements on `notices` and `sendings`."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Say that a notice was stored."""
        self._rung.set()

    def next_ring(self) -> anyio.Event:
        """Return what is set when a notice is stored from now on."""
        self._rung = anyio.Event()
        return self._rung

    def turn(self) -> AbstractAsyncContextManager[bool]:
        """Return what yields whether no other gateway sends notices now."""
        return self._db.only_here(SENDING_LOCK)

    async def add(self, notice: Notice) -> None:
        """Store a notice that no other statement goes with."""
        await self._db.change(insert_notice(notice))
        self.ring()

    async def unanswered(self, occasion: Occasion, answer: Occasion) -> frozenset[str]:
        """Return the subjects of which `occasion` was told, and `answer` not since then."""
        later = notices.alias("later")
        answered = (
            select(later.c.id)
            .where(later.c.subject == notices.c.subject, later.c.occasion == answer)
            .where(later.c.at >= notices.c.at)
            .exists()
        )
        statement = select(notices.c.subject).where(notices.c.occasion == occasion, ~answered)
        return frozenset(row["subject"] for row in await self._db.all(statement.distinct()))

    async def settle(self, now: int, *, most: int, window_ms: int, summarise: Summarise) -> None:
        """Hand new notices to the channels that want them.

        Of one occasion no more than `most` in a window; from then on they are gathered, and
        `window_ms` after the first of those one summary of them is told.
        """

        async def work(connection: AsyncConnection) -> None:
            settling = _Settling(connection, now, now - window_ms)
            await settling.look()
            await settling.summarise(summarise)
            await settling.tell_new(most)

        await self._db.transact(work)

    async def due(self, now: int, limit: int) -> tuple[Sending, ...]:
        """Return the sendings whose time has come, the oldest notice first."""
        statement = (
            select(*NOTICE.columns, sendings.c.channel_id, sendings.c.attempts)
            .join(notices, notices.c.id == sendings.c.notice_id)
            .where(sendings.c.state == SendingState.PENDING, sendings.c.next_at <= now)
            .order_by(notices.c.at, notices.c.id)
            .limit(limit)
        )
        return tuple(map(_sending, await self._db.all(statement)))

    async def next_at(self, window_ms: int) -> int | None:
        """Return when there is something to do next, or None."""
        summary = select(func.min(notices.c.settled_at + window_ms).label("at")).where(
            notices.c.state == NoticeState.GATHERED
        )
        sending = select(func.min(sendings.c.next_at).label("at")).where(
            sendings.c.state == SendingState.PENDING
        )
        rows = [await self._db.one(statement) for statement in (summary, sending)]
        times = [row["at"] for row in rows if row is not None and row["at"] is not None]
        return min(times, default=None)

    async def sent(self, sending: Sending, now: int) -> None:
        """Note that a notice went out; what waits for the same channel need not wait longer."""
        own = sendings.c.channel_id == sending.channel_id
        waiting = update(sendings).where(own, sendings.c.state == SendingState.PENDING)
        channel = update(channels).where(channels.c.id == sending.channel_id)
        await self._db.change_together(
            _this(sending).values(
                state=SendingState.SENT, attempts=sending.attempts + 1, next_at=None, error=None
            ),
            [
                waiting.values(next_at=now),
                channel.values(sent_at=now, failed_at=None, error=None),
            ],
        )

    async def failed(self, sending: Sending, now: int, error: str, *, again_at: int | None) -> None:
        """Note that a notice did not go out; None: it is given up.

        What else waits for the channel waits as long: one that is away is not asked by each.
        """
        state = SendingState.GIVEN_UP if again_at is None else SendingState.PENDING
        channel = update(channels).where(channels.c.id == sending.channel_id)
        others = [channel.values(failed_at=now, error=error)]
        if again_at is not None:
            later = update(sendings).where(
                sendings.c.channel_id == sending.channel_id,
                sendings.c.state == SendingState.PENDING,
                sendings.c.next_at < again_at,
            )
            others.append(later.values(next_at=again_at))
        tried = {"attempts": sending.attempts + 1, "next_at": again_at, "error": error}
        await self._db.change_together(_this(sending).values(state=state, **tried), others)

    async def newest(self, limit: int) -> tuple[KeptNotice, ...]:
        """Return the newest notices with what became of them, newest first."""
        statement = select(*NOTICE.columns, notices.c.state)
        order = (notices.c.at.desc(), notices.c.id.desc())
        found = await self._db.all(statement.order_by(*order).limit(limit))
        ids = [row["id"] for row in found]
        parts = await self._db.all(select(sendings).where(sendings.c.notice_id.in_(ids)))
        return tuple(_kept(row, [p for p in parts if p["notice_id"] == row["id"]]) for row in found)


class _Settling:
    """One transaction over new and gathered notices."""

    def __init__(self, connection: AsyncConnection, now: int, since: int) -> None:
        self._connection = connection
        self._now = now
        self._since = since
        self._told: dict[Occasion, int] = {}
        self._gathered: dict[Occasion, int] = {}
        """When the first of those that wait for a summary was gathered."""
        self._wishes: dict[str, frozenset[Occasion]] = {}

    async def look(self) -> None:
        """Read what was told and gathered of each occasion, and who wants what."""
        own = notices.c
        told = select(own.occasion, func.count().label("count")).where(
            own.state == NoticeState.TOLD, own.settled_at > self._since
        )
        gathered = select(own.occasion, func.min(own.settled_at).label("first")).where(
            own.state == NoticeState.GATHERED
        )
        for row in await self._rows(told.group_by(own.occasion)):
            self._told[row["occasion"]] = row["count"]
        for row in await self._rows(gathered.group_by(own.occasion)):
            self._gathered[row["occasion"]] = row["first"]
        for row in await self._rows(select(channels.c.id, channels.c.occasions)):
            self._wishes[row["id"]] = row["occasions"]

    async def summarise(self, make: Summarise) -> None:
        """Tell the summary of each occasion whose time is over."""
        over = [occasion for occasion, first in self._gathered.items() if first <= self._since]
        for occasion in over:
            mine = (notices.c.state == NoticeState.GATHERED, notices.c.occasion == occasion)
            titles = select(notices.c.title).where(*mine).order_by(notices.c.at, notices.c.id)
            rows = await self._rows(titles.limit(IN_SUMMARY))
            (counted,) = await self._rows(select(func.count().label("count")).where(*mine))
            titled = [row["title"] for row in rows]
            summary = make(occasion, titled, counted["count"], self._now)
            done = update(notices).where(*mine).values(state=NoticeState.SUMMARISED)
            await self._connection.execute(done)
            await self._connection.execute(insert_notice(summary))
            await self._tell(summary)
            del self._gathered[occasion]

    async def tell_new(self, most: int) -> None:
        """Tell each new notice, or gather it."""
        new = select(*NOTICE.columns).where(notices.c.state == NoticeState.NEW)
        rows = await self._rows(new.order_by(notices.c.at, notices.c.id).limit(BATCH))
        for notice in NOTICE.all(rows):
            occasion = notice.occasion
            if occasion in self._gathered or self._told.get(occasion, 0) >= most:
                self._gathered.setdefault(occasion, self._now)
                await self._put(notice, NoticeState.GATHERED)
            else:
                await self._tell(notice)

    async def _tell(self, notice: Notice) -> None:
        self._told[notice.occasion] = self._told.get(notice.occasion, 0) + 1
        await self._put(notice, NoticeState.TOLD)
        rows = [
            {
                "notice_id": notice.id,
                "channel_id": channel_id,
                "state": SendingState.PENDING,
                "attempts": 0,
                "next_at": self._now,
            }
            for channel_id, wanted in self._wishes.items()
            if notice.occasion in wanted
        ]
        if rows:
            await self._connection.execute(sendings.insert(), rows)

    async def _put(self, notice: Notice, state: NoticeState) -> None:
        statement = update(notices).where(notices.c.id == notice.id)
        await self._connection.execute(statement.values(state=state, settled_at=self._now))

    async def _rows(self, statement: Executable) -> Sequence[Row]:
        return rows_of(await self._connection.execute(statement))


def _this(sending: Sending) -> Any:
    conditions: tuple[ColumnElement[bool], ...] = (
        sendings.c.notice_id == sending.notice.id,
        sendings.c.channel_id == sending.channel_id,
    )
    return update(sendings).where(*conditions)


def _sending(row: Row) -> Sending:
    fields = dict(row)
    channel_id, attempts = fields.pop("channel_id"), fields.pop("attempts")
    return Sending(NOTICE.read(fields), channel_id, attempts)


def _kept(row: Row, parts: Sequence[Row]) -> KeptNotice:
    fields = dict(row)
    state = fields.pop("state")
    views = tuple(
        SendingView(part["channel_id"], part["state"], part["attempts"], part["error"])
        for part in parts
    )
    return KeptNotice(NOTICE.read(fields), state, views)
