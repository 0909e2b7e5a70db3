"""Keeps what is pinned of servers' tools, so that it outlives the gateway."""

import logging
from collections.abc import Callable

from gateway.domain.clock import utc_ms
from gateway.store import DefinitionPinTable, StoreError
from gateway.write_behind import WriteBehind
from supervisor.events import DefinitionsPinned, Event, PinsForgotten

log = logging.getLogger(__name__)


class PinKeeper:
    """Hears events from the moment it is made; writes while `run` runs, off every call's path."""

    def __init__(self, table: DefinitionPinTable, now_ms: Callable[[], int] = utc_ms) -> None:
        self._table = table
        self._now_ms = now_ms
        self._waiting: dict[str, bytes | None] = {}
        self._behind = WriteBehind(self._write_all)

    def hear(self, event: Event) -> None:
        """Note what is to be kept; the newest record of a server replaces an older one."""
        match event:
            case DefinitionsPinned():
                self._waiting[event.server] = event.record
            case PinsForgotten():
                self._waiting[event.server] = None
            case _:
                return
        self._behind.wake()

    async def run(self) -> None:
        """Write until cancelled."""
        await self._behind.run()

    async def _write_all(self) -> bool:
        """Write what waits; False when some of it could not be written and waits on."""
        for server, record in tuple(self._waiting.items()):
            try:
                await self._write(server, record)
            except StoreError as error:
                log.error("The pinned definitions of server %s are not kept: %s", server, error)
                return False
            if self._waiting.get(server) is record:
                self._waiting.pop(server, None)
        return True

    async def _write(self, server: str, record: bytes | None) -> None:
        if record is None:
            await self._table.delete(server)
        else:
            await self._table.put(server, record, self._now_ms())
