"""The audit log: entries are added and pruned, never changed."""

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, delete, func, or_, select

from gateway.domain.audit import Actor, AuditEntry, AuditWish, KeptEntry
from gateway.store.database import Database, Plain, Row
from gateway.store.schema import audit
from gateway.store.types import is_storable, storable

FIELDS = tuple(audit.c[name] for name in AuditEntry.__struct_fields__)
COLUMNS = tuple(column.name for column in audit.columns if column.name != "number")


class AuditTable:
    """Statements on `audit`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Store entries in this order, all or none."""
        if entries:
            await self._db.insert_many(audit, COLUMNS, [_plain(entry) for entry in entries])

    async def find(self, wish: AuditWish) -> tuple[KeptEntry, ...]:
        """Return the entries that somebody wants, newest first; oldest first those `after` one."""
        backwards = wish.after is None
        order = audit.c.number.desc() if backwards else audit.c.number
        statement = select(audit.c.number, *FIELDS).where(*_conditions(wish))
        rows = await self._db.all(statement.order_by(order).limit(wish.limit))
        return tuple(map(_read, rows))

    async def prune(self, *, older_than: int, keep: int) -> int:
        """Remove entries from before an instant, and all but the newest `keep`; return how many."""
        newest = await self._db.one(select(func.max(audit.c.number).label("number")))
        last = 0 if newest is None else newest["number"] or 0
        too_old = or_(audit.c.at < older_than, audit.c.number <= last - keep)
        return await self._db.change(delete(audit).where(too_old))


def _plain(entry: AuditEntry) -> Plain:
    """Return an entry as the database holds it, in the order of COLUMNS."""
    texts = (
        entry.actor_id,
        entry.action,
        entry.server,
        entry.tool,
        entry.target,
        entry.arguments,
        entry.correlation,
    )
    # All at once: there is one for every call.
    if not is_storable("".join(texts)):
        texts = tuple(map(storable, texts))
    actor_id, action, server, tool, target, arguments, correlation = texts
    return (
        entry.at,
        str(entry.actor),
        actor_id,
        action,
        server,
        tool,
        target,
        arguments,
        entry.asked_bytes,
        entry.answered_bytes,
        str(entry.outcome),
        entry.took_us,
        correlation,
    )


def _conditions(wish: AuditWish) -> Iterator[ColumnElement[bool]]:
    columns = audit.c
    if wish.since is not None:
        yield columns.at >= wish.since
    if wish.who is not None:
        yield _is_who(wish.who)
    if wish.server is not None:
        yield columns.server == wish.server
    if wish.tool is not None:
        yield or_(columns.tool == wish.tool, columns.action == wish.tool)
    if wish.outcome is not None:
        yield columns.outcome == wish.outcome
    if wish.before is not None:
        yield columns.number < wish.before
    if wish.after is not None:
        yield columns.number > wish.after


def _is_who(who: str) -> ColumnElement[bool]:
    if who in frozenset(actor.value for actor in Actor):
        return audit.c.actor == Actor(who)
    return audit.c.actor_id == who


def _read(row: Row) -> KeptEntry:
    fields = dict(row)
    number = fields.pop("number")
    return KeptEntry(number, AuditEntry(**fields))
