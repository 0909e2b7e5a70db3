"""The tokens of a home that no gateway holds, straight from its store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gateway.audit.actions import CREATE_TOKEN, REVOKE_TOKEN
from gateway.audit.offline import note_offline
from gateway.auth.machine_tokens import (
    InvalidToken,
    make_wished_token,
    no_such_token,
    view_token,
)
from gateway.cli.exits import Exit, Failure
from gateway.domain.clock import utc_ms
from gateway.domain.token import TokenWish
from gateway.local import GatewayLock
from gateway.settings import Settings
from gateway.store import Store, StoreError

R = TypeVar("R")


class StoreDesk:
    """Holds the home for the length of each operation. Raises Failure and HomeTaken."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def create(self, wish: TokenWish) -> str:
        """Return the value of a new token."""

        async def make(store: Store) -> str:
            made = await make_wished_token(store.tokens, wish)
            await note_offline(store, self._settings, CREATE_TOKEN, target=made.token.id)
            return made.value

        return self._run(make)

    def all(self) -> list[dict[str, Any]]:
        """Return every token without its value."""
        return [view_token(token) for token in self._run(lambda store: store.tokens.all())]

    def revoke(self, token_id: str) -> None:
        """End a token."""

        async def end(store: Store) -> bool:
            ended = await store.tokens.revoke(token_id, utc_ms())
            if ended:
                await note_offline(store, self._settings, REVOKE_TOKEN, target=token_id)
            return ended

        if not self._run(end):
            raise Failure(Exit.FAILED, no_such_token(token_id))

    def _run(self, act: Callable[[Store], Awaitable[R]]) -> R:
        with GatewayLock(self._settings.home):
            try:
                return asyncio.run(self._with_store(act))
            except (StoreError, InvalidToken) as error:
                raise Failure(Exit.FAILED, str(error)) from error

    async def _with_store(self, act: Callable[[Store], Awaitable[R]]) -> R:
        database_url = self._settings.database_url
        url = database_url.reveal() if database_url else None
        async with Store.open(url, path=self._settings.home / "jobs.db") as store:
            return await act(store)
