"""Looks for entries; those that still wait are written down first."""

from collections.abc import Callable, Mapping

from gateway.audit.trail import Trail
from gateway.audit.views import read_wish
from gateway.domain.audit import AuditWish, KeptEntry
from gateway.store.audit import AuditTable


class AuditLog:
    """What happened up to now."""

    def __init__(self, table: AuditTable, trail: Trail, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._trail = trail
        self._now_ms = now_ms

    async def find(self, asked: Mapping[str, str], limit: int = 100) -> tuple[KeptEntry, ...]:
        """Return the entries asked for in words. Raises BadWish and StoreError."""
        return await self.read(self.wish(asked, limit))

    def wish(self, asked: Mapping[str, str], limit: int) -> AuditWish:
        """Return what is asked for in words. Raises BadWish."""
        return read_wish(asked, self._now_ms(), limit)

    async def read(self, wish: AuditWish) -> tuple[KeptEntry, ...]:
        """Return the entries that somebody wishes to see. Raises StoreError."""
        await self._trail.flush()
        return await self._table.find(wish)
