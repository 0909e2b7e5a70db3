"""Keys of the authorization server, sealed by a data key."""

from sqlalchemy import select

from gateway.domain.secret import Sealed
from gateway.store.database import Database
from gateway.store.schema import oauth_keys


class OAuthKeyTable:
    """Statements on `oauth_keys`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, name: str, sealed: Sealed) -> None:
        """Store a new key, durably: what it signs is lost without it."""
        values = {"name": name, "key_id": sealed.key_id, "sealed": sealed.data}
        statement = oauth_keys.insert().values(values).returning(oauth_keys.c.name)
        await self._db.change_durably(statement)

    async def get(self, name: str) -> Sealed | None:
        """Return a key."""
        statement = select(oauth_keys.c.key_id, oauth_keys.c.sealed)
        row = await self._db.one(statement.where(oauth_keys.c.name == name))
        return None if row is None else Sealed(row["key_id"], row["sealed"])
