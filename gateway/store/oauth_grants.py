"""What the owner granted OAuth clients, and the codes and tokens that stand for it, by hash."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Exists, Table, delete, exists, or_, select, update

from gateway.domain.oauth import AccessToken, Code, Grant, RefreshToken
from gateway.store.database import Database
from gateway.store.record import Record
from gateway.store.schema import oauth_access_tokens as access_tokens
from gateway.store.schema import oauth_codes as codes
from gateway.store.schema import oauth_grants as grants
from gateway.store.schema import oauth_refresh_tokens as refresh_tokens

GRANT = Record(Grant, grants)
CODE = Record(Code, codes)
ACCESS = Record(AccessToken, access_tokens)
REFRESH = Record(RefreshToken, refresh_tokens)


@dataclass(frozen=True, slots=True)
class Access:
    """A valid access token, the endpoint it is for, and whose it is."""

    token: AccessToken
    resource: str
    client_id: str


class OAuthGrantTable:
    """Statements on `oauth_grants`, `oauth_codes` and the two tables of tokens."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, grant: Grant) -> None:
        """Store what the owner approved."""
        await self._db.change(grants.insert().values(GRANT.values(grant)))

    async def get(self, grant_id: str) -> Grant | None:
        """Return a grant that is not revoked."""
        statement = select(*GRANT.columns).where(
            grants.c.id == grant_id, grants.c.revoked_at.is_(None)
        )
        return GRANT.maybe(await self._db.one(statement))

    async def live(self, now: int) -> tuple[Grant, ...]:
        """Return the grants that a code or token stands for at `now`, newest first."""
        tables = (codes, access_tokens, refresh_tokens)
        stands = or_(*(_stands_for(table).where(table.c.expires_at > now) for table in tables))
        statement = select(*GRANT.columns).where(grants.c.revoked_at.is_(None), stands)
        return GRANT.all(await self._db.all(statement.order_by(grants.c.created_at.desc())))

    async def revoke(self, grant_id: str, now: int) -> None:
        """End a grant with all of its tokens."""
        statement = update(grants).where(grants.c.id == grant_id, grants.c.revoked_at.is_(None))
        await self._db.change(statement.values(revoked_at=now))

    async def of_client(self, client_id: str) -> tuple[Grant, ...]:
        """Return the grants of a client that are not revoked."""
        statement = select(*GRANT.columns).where(
            grants.c.client_id == client_id, grants.c.revoked_at.is_(None)
        )
        return GRANT.all(await self._db.all(statement))

    async def touch(self, grant_ids: Collection[str], now: int) -> None:
        """Note that tokens of these grants were used."""
        if grant_ids:
            statement = update(grants).where(grants.c.id.in_(grant_ids)).values(last_used_at=now)
            await self._db.change(statement)

    async def add_code(self, code: Code, code_hash: str) -> None:
        """Store a new code."""
        await self._db.change(codes.insert().values(**CODE.values(code), hash=code_hash))

    async def code(self, code_hash: str) -> Code | None:
        """Return a code, used and expired ones too."""
        statement = select(*CODE.columns).where(codes.c.hash == code_hash)
        return CODE.maybe(await self._db.one(statement))

    async def use_code(self, code_hash: str, now: int) -> bool:
        """Use a code up; False when somebody was faster."""
        statement = update(codes).where(codes.c.hash == code_hash, codes.c.used_at.is_(None))
        return await self._db.change(statement.values(used_at=now)) == 1

    async def keep_newest_codes(self, limit: int) -> None:
        """Forget the oldest codes beyond `limit`, and what was never exchanged with its grant."""
        older = select(codes.c.grant_id).order_by(codes.c.created_at.desc()).offset(limit)
        unused = [~_stands_for(table) for table in (access_tokens, refresh_tokens)]
        await self._db.change(delete(grants).where(grants.c.id.in_(older), *unused))
        await self._db.change(delete(codes).where(codes.c.grant_id.in_(older)))

    async def add_access(self, token: AccessToken, token_hash: str) -> None:
        """Store a new access token."""
        values = ACCESS.values(token)
        await self._db.change(access_tokens.insert().values(**values, hash=token_hash))

    async def access(self, token_hash: str, now: int) -> Access | None:
        """Return the access token that is valid at `now`; None when unknown, expired or revoked."""
        statement = (
            select(*ACCESS.columns, grants.c.resource, grants.c.client_id)
            .join(grants, grants.c.id == access_tokens.c.grant_id)
            .where(
                access_tokens.c.hash == token_hash,
                access_tokens.c.expires_at > now,
                grants.c.revoked_at.is_(None),
            )
        )
        row = await self._db.one(statement)
        if row is None:
            return None
        beside = {"resource": row["resource"], "client_id": row["client_id"]}
        token = {key: value for key, value in row.items() if key not in beside}
        return Access(ACCESS.read(token), **beside)

    async def add_refresh(self, token: RefreshToken, token_hash: str) -> None:
        """Store a new refresh token."""
        values = REFRESH.values(token)
        await self._db.change(refresh_tokens.insert().values(**values, hash=token_hash))

    async def refresh(self, token_hash: str) -> RefreshToken | None:
        """Return a refresh token, rotated and expired ones too."""
        statement = select(*REFRESH.columns).where(refresh_tokens.c.hash == token_hash)
        return REFRESH.maybe(await self._db.one(statement))

    async def rotate(self, token_hash: str, now: int) -> bool:
        """Note the first use of a refresh token; False when it was used before."""
        statement = update(refresh_tokens).where(
            refresh_tokens.c.hash == token_hash, refresh_tokens.c.rotated_at.is_(None)
        )
        return await self._db.change(statement.values(rotated_at=now)) == 1

    async def grant_of_token(self, token_hash: str) -> str | None:
        """Return the id of the grant that a token of either kind belongs to."""
        for table in (access_tokens, refresh_tokens):
            row = await self._db.one(select(table.c.grant_id).where(table.c.hash == token_hash))
            if row is not None:
                return row["grant_id"]
        return None

    async def keep_newest_tokens(self, grant_id: str, limit: int) -> None:
        """Forget the oldest tokens of a grant, beyond `limit` of each kind."""
        for table in (access_tokens, refresh_tokens):
            newest = (
                select(table.c.hash)
                .where(table.c.grant_id == grant_id)
                .order_by(table.c.created_at.desc())
                .limit(limit)
            )
            await self._db.change(
                delete(table).where(table.c.grant_id == grant_id, table.c.hash.not_in(newest))
            )

    async def prune(self, *, expired_before: int, ended_before: int) -> None:
        """Forget what expired, and grants that nothing stands for any more or that were revoked."""
        for table in (codes, access_tokens, refresh_tokens):
            await self._db.change(delete(table).where(table.c.expires_at < expired_before))
        await self._db.change(delete(grants).where(grants.c.revoked_at < ended_before))
        left = [~_stands_for(table) for table in (codes, access_tokens, refresh_tokens)]
        await self._db.change(delete(grants).where(grants.c.created_at < ended_before, *left))


def _stands_for(table: Table) -> Exists:
    return exists().where(table.c.grant_id == grants.c.id)
