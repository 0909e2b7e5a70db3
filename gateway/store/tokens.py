"""Machine tokens, known by the hash of their value."""

from collections.abc import Collection

from sqlalchemy import or_, select, update

from gateway.domain.token import Token
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import tokens

TOKEN = Record(Token, tokens)


class TokenTable:
    """Statements on `tokens`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, token: Token, token_hash: str) -> None:
        """Store a new token."""
        await self._db.change(tokens.insert().values(**TOKEN.values(token), hash=token_hash))

    async def by_hash(self, token_hash: str, now: int) -> Token | None:
        """Return the token that is valid at `now`; None when unknown, revoked or expired."""
        statement = select(*TOKEN.columns).where(
            tokens.c.hash == token_hash,
            tokens.c.revoked_at.is_(None),
            or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now),
        )
        return TOKEN.maybe(await self._db.one(statement))

    async def all(self) -> tuple[Token, ...]:
        """Return every token, oldest first, revoked and expired ones too."""
        statement = select(*TOKEN.columns).order_by(tokens.c.created_at, tokens.c.id)
        return TOKEN.all(await self._db.all(statement))

    async def revoke(self, token_id: str, now: int) -> bool:
        """End a token; False when there is none or it is revoked already."""
        statement = (
            update(tokens)
            .where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        return await self._db.change(statement) == 1

    async def touch(self, token_ids: Collection[str], now: int) -> None:
        """Note that these tokens were used."""
        if token_ids:
            statement = update(tokens).where(tokens.c.id.in_(token_ids)).values(last_used_at=now)
            await self._db.change(statement)
