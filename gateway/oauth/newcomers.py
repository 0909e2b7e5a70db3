"""Room for clients of others' making: how many are stored, and how many come in a minute."""

import time
from collections.abc import Callable

from gateway.domain.oauth import Client
from gateway.store.oauth_clients import OAuthClientTable

MAX_UNUSED = 300
"""Clients that the owner never approved; at the highest rate one lives for minutes."""
PRUNE_EVERY = 50
"""Newcomers between two looks at how many those are."""


class Newcomers:
    """Stores clients that the owner has not approved; the oldest go."""

    def __init__(self, table: OAuthClientTable) -> None:
        self._table = table
        self._since_pruned = PRUNE_EVERY

    async def admit(self, client: Client) -> None:
        """Store a client, or what changed of one. Raises StoreError."""
        await self._table.put(client)
        self._since_pruned += 1
        if self._since_pruned >= PRUNE_EVERY:
            self._since_pruned = 0
            await self._table.keep_newest_unused(MAX_UNUSED)


class Rate:
    """So many times in so many seconds, counted from the first one."""

    def __init__(
        self, limit: int, per_s: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._per_s = per_s
        self._monotonic = monotonic
        self._began = monotonic()
        self._count = 0

    def take(self) -> bool:
        """True when there is one left, which is taken."""
        now = self._monotonic()
        if now - self._began >= self._per_s:
            self._began, self._count = now, 0
        self._count += 1
        return self._count <= self._limit
