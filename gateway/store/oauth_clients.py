"""OAuth clients: the pre-registered one, and those that came by themselves."""

from sqlalchemy import ColumnElement, delete, exists, select

from gateway.domain.oauth import Client, ClientSource
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import oauth_clients as clients
from gateway.store.schema import oauth_grants as grants

CLIENT = Record(Client, clients)
_ONE = ClientSource.PREREGISTERED


class OAuthClientTable:
    """Statements on `oauth_clients`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def put(self, client: Client) -> None:
        """Store a client, or what changed of one that is known; its grants stay."""
        values = CLIENT.values(client)
        changed = {key: value for key, value in values.items() if key not in ("id", "created_at")}
        statement = self._db.insert(clients).values(values)
        await self._db.change(statement.on_conflict_do_update(index_elements=["id"], set_=changed))

    async def get(self, client_id: str) -> Client | None:
        """Return a client."""
        statement = select(*CLIENT.columns).where(clients.c.id == client_id)
        return CLIENT.maybe(await self._db.one(statement))

    async def all(self) -> tuple[Client, ...]:
        """Return every client, newest first."""
        statement = select(*CLIENT.columns).order_by(clients.c.created_at.desc(), clients.c.id)
        return CLIENT.all(await self._db.all(statement))

    async def remove(self, client_id: str) -> None:
        """Forget a client with what it was granted."""
        await self._db.change(delete(clients).where(clients.c.id == client_id))

    async def preregistered(self) -> Client | None:
        """Return the pre-registered client."""
        return CLIENT.maybe(
            await self._db.one(select(*CLIENT.columns).where(clients.c.source == _ONE))
        )

    async def remove_other_preregistered(self, client_id: str) -> None:
        """Forget every pre-registered client but this one, with what it was granted."""
        await self._db.change(
            delete(clients).where(clients.c.source == _ONE, clients.c.id != client_id)
        )

    async def remove_unused(self, created_before: int) -> None:
        """Forget clients of others' making that the owner never approved."""
        await self._db.change(
            delete(clients).where(_unused(), clients.c.created_at < created_before)
        )

    async def remove_unapproved(self, client_id: str) -> None:
        """Forget a client that registered itself, unless the owner approved it."""
        await self._db.change(delete(clients).where(_unused(), clients.c.id == client_id))

    async def keep_newest_unused(self, limit: int) -> None:
        """Forget the oldest clients that the owner never approved, beyond `limit` of them."""
        newest = select(clients.c.id).where(_unused()).order_by(clients.c.created_at.desc())
        statement = delete(clients).where(_unused(), clients.c.id.not_in(newest.limit(limit)))
        await self._db.change(statement)


def _unused() -> ColumnElement[bool]:
    granted = exists().where(grants.c.client_id == clients.c.id)
    return (clients.c.source != _ONE) & ~granted
