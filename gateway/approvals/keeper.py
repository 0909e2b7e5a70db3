"""Keeps what is pinned of servers' tools, so that it outlives the gateway."""

import logging
from collections.abc import Callable

import anyio

from gateway.domain.clock import utc_ms
from gateway.store import DefinitionPinTable, StoreError
from supervisor.events import DefinitionsPinned, Event, PinsForgotten

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 5.0
"""A database that is locked or away is asked again; meanwhile the pins hold in memory."""
LAST_WRITE_S = 5.0
"""What was told just before the end is written, unless the database is away."""


class PinKeeper:
    """Hears events from the moment it is made; writes while `run` runs, off every call's path."""

    def __init__(self, table: DefinitionPinTable, now_ms: Callable[[], int] = utc_ms) -> None:
        self._table = table
        self._now_ms = now_ms
        self._waiting: dict[str, bytes | None] = {}
        self._woken = anyio.Event()

    def hear(self, event: Event) -> None:
        """Note what is to be kept; the newest record of a server replaces an older one."""
        match event:
            case DefinitionsPinned():
                self._waiting[event.server] = event.record
            case PinsForgotten():
                self._waiting[event.server] = None
            case _:
                return
        self._woken.set()

    async def run(self) -> None:
        """Write until cancelled."""
        try:
            while True:
                await self._woken.wait()
                self._woken = anyio.Event()
                if not await self.write():
                    await anyio.sleep(AGAIN_AFTER_S)
                    self._woken.set()
        finally:
            with anyio.move_on_after(LAST_WRITE_S, shield=True):
                await self.write()

    async def write(self) -> bool:
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
