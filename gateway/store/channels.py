"""Channels to the owner. Their addresses are kept sealed."""

from typing import Any

from sqlalchemy import delete, select, update

from gateway.domain.notice import Channel, SealedChannel
from gateway.domain.secret import Sealed
from gateway.store.database import Database, Row
from gateway.store.record import Record
from gateway.store.schema import channels

CHANNEL = Record(Channel, channels)


class ChannelTable:
    """Statements on `channels`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, channel: Channel, sealed: Sealed) -> bool:
        """Store a new channel; False when its name is taken."""
        statement = self._db.insert(channels).values(
            **CHANNEL.values(channel), key_id=sealed.key_id, sealed=sealed.data
        )
        unless_taken = statement.on_conflict_do_nothing(index_elements=["name"])
        return bool(await self._db.change_returning(unless_taken.returning(channels.c.id)))

    async def all(self) -> tuple[Channel, ...]:
        """Return every channel, oldest first."""
        statement = select(*CHANNEL.columns).order_by(channels.c.created_at, channels.c.id)
        return CHANNEL.all(await self._db.all(statement))

    async def sealed(self) -> tuple[SealedChannel, ...]:
        """Return every channel with its sealed address."""
        return tuple(map(_sealed, await self._db.all(select(channels))))

    async def update(self, channel: Channel, sealed: Sealed | None = None) -> bool:
        """Replace what a person may change, and the address if one is given.

        False when another channel has the name, or there is no such channel.
        """
        values: dict[str, Any] = CHANNEL.values(channel, without=("id", "created_at"))
        if sealed is not None:
            values |= {"key_id": sealed.key_id, "sealed": sealed.data}
        other = channels.alias("other")
        taken = select(other.c.id).where(other.c.name == channel.name, other.c.id != channel.id)
        statement = update(channels).where(channels.c.id == channel.id, ~taken.exists())
        return await self._db.change(statement.values(values)) == 1

    async def delete(self, channel_id: str) -> bool:
        """Delete a channel with what waits for it; False when there is no such channel."""
        return await self._db.change(delete(channels).where(channels.c.id == channel_id)) == 1


def _sealed(row: Row) -> SealedChannel:
    fields = dict(row)
    sealed = Sealed(fields.pop("key_id"), fields.pop("sealed"))
    return SealedChannel(CHANNEL.read(fields), sealed)
