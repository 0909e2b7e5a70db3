"""The bearer guard: from an Authorization header to a caller, without a database on the way.

Source: RFC 6750, sections 2.1 and 3.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from gateway.auth.access_tokens import PREFIX as ACCESS_PREFIX
from gateway.auth.access_tokens import AccessTokens
from gateway.auth.caller import Caller, CallerKind
from gateway.auth.endings import Endings
from gateway.auth.known_tokens import KnownTokens
from gateway.auth.run_tokens import RunTokens, token_hash
from gateway.domain.clock import utc_ms
from gateway.domain.token import Scope, Token
from gateway.store import Store

PREFIX = "crt_"
"""Tells a machine token from a run's, for people and secret scanners."""
LOCAL_CALLER = Caller(CallerKind.LOCAL, "local", frozenset(Scope))


@dataclass(frozen=True, slots=True)
class _Known:
    token: Token
    caller: Caller


class Guard:
    """Knows every valid token by its hash; told when tokens are made or revoked."""

    def __init__(
        self,
        store: Store,
        run_tokens: RunTokens,
        access_tokens: AccessTokens,
        endings: Endings,
        now_ms: Callable[[], int] = utc_ms,
    ) -> None:
        self._store = store
        self._run_tokens = run_tokens
        self._access_tokens = access_tokens
        self._now_ms = now_ms
        self.endings = endings
        self._known = KnownTokens[_Known](lambda known: known.token.id)
        self._used: set[str] = set()
        self._local_hash: str | None = None

    def make_local_token(self) -> str:
        """Return the token by which the owner's command line acts while this gateway lives."""
        token = PREFIX + secrets.token_urlsafe(32)
        self._local_hash = token_hash(token)
        return token

    async def caller(self, authorization: str | None, *, ask_store: bool = True) -> Caller | None:
        """Return whose token an Authorization header carries, or None. Raises StoreError.

        Without the store only tokens are found that were used lately.
        """
        token = _bearer(authorization)
        if token is None:
            return None
        if token.startswith(ACCESS_PREFIX):
            return await self._client(token, ask_store=ask_store)
        hashed = token_hash(token)
        caller = self._of_hash(hashed)
        if caller is None and ask_store:
            known = await self._look_up(hashed)
            caller = None if known is None else self._used_by(known, hashed)
        return caller

    def known_caller(self, authorization: str | None) -> Caller | None:
        """Return whose token it is if nobody has to be asked; None: `caller` finds out."""
        token = _bearer(authorization)
        if token is None or token.startswith(ACCESS_PREFIX):
            return None
        return self._of_hash(token_hash(token))

    def _of_hash(self, hashed: str) -> Caller | None:
        known = self._known.get(hashed)
        if known is not None:
            return self._used_by(known, hashed)
        if self._local_hash is not None and hashed == self._local_hash:
            return LOCAL_CALLER
        if (grant := self._run_tokens.grant(hashed)) is not None:
            return Caller(CallerKind.RUN, grant.run_id, frozenset(), grant.view)
        return None

    def forget(self, token_id: str) -> None:
        """End what came by a token that was revoked."""
        self._known.end((token_id,))
        self.endings.end(token_id)

    async def note_made(self, value: str) -> None:
        """Know a token before its first use. Raises StoreError."""
        await self._look_up(token_hash(value))

    async def note_uses(self) -> None:
        """Write down which tokens and grants were used since the last time. Raises StoreError."""
        used = frozenset(self._used)
        await self._store.tokens.touch(used, self._now_ms())
        self._used -= used
        await self._access_tokens.note_uses()

    async def _client(self, token: str, *, ask_store: bool) -> Caller | None:
        access = await self._access_tokens.find(token, ask_store=ask_store)
        if access is None:
            return None
        found = access.token
        return Caller(CallerKind.CLIENT, found.grant_id, found.scopes, resource=access.resource)

    async def _look_up(self, hashed: str) -> _Known | None:
        known = await self._known.look_up(hashed, partial(self._stored, hashed))
        if known is not None and known.token.expires_at is not None:
            self.endings.note(known.token.id, known.token.expires_at)
        return known

    async def _stored(self, hashed: str) -> _Known | None:
        token = await self._store.tokens.by_hash(hashed, self._now_ms())
        if token is None:
            return None
        return _Known(token, Caller(CallerKind.TOKEN, token.id, token.scopes, token.view))

    def _used_by(self, known: _Known, hashed: str) -> Caller | None:
        expires_at = known.token.expires_at
        if expires_at is not None and expires_at <= self._now_ms():
            self._known.forget(hashed)
            return None
        self._used.add(known.token.id)
        return known.caller


def _bearer(authorization: str | None) -> str | None:
    kind, _, token = (authorization or "").partition(" ")
    return token.strip() if token and kind.lower() == "bearer" else None


def new_token() -> str:
    """Return a fresh machine token; only its hash is kept."""
    return PREFIX + secrets.token_urlsafe(32)
