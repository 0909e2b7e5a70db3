"""Makes notices of what the supervisor tells, and stores them off the supervisor's path."""

import logging
from collections.abc import Callable
from functools import partial

from gateway.domain.notice import Notice, Occasion
from gateway.notify.wording import make
from gateway.store import NoticeTable, StoreError
from gateway.write_behind import WriteBehind
from supervisor.events import Event, ServerState, StateChanged, ToolQuarantined

log = logging.getLogger(__name__)

MAX_WAITING = 200
"""Notices; beyond that the log alone has them."""


class NoticeHearer:
    """Hears events from the moment it is made; stores while `run` runs."""

    def __init__(self, table: NoticeTable, now_ms: Callable[[], int]) -> None:
        self._table = table
        self._now_ms = now_ms
        self._waiting: list[Notice] = []
        self._quarantined: set[str] = set()
        self._ready: set[str] | None = set()
        """Heard of before it was known what an earlier gateway told; None: it is known."""
        self._behind = WriteBehind(self._write)

    def hear(self, event: Event) -> None:
        """Take what the owner may want to be told."""
        notice = self._notice(event)
        if notice is None:
            return
        if len(self._waiting) >= MAX_WAITING:
            log.warning("A notice is lost, too many wait for the store: %s", notice.title)
            return
        self._waiting.append(notice)
        self._behind.wake()

    async def run(self) -> None:
        """Store until cancelled."""
        self._behind.wake()
        await self._behind.run()

    async def _write(self) -> bool:
        """Store what waits; False when the database did not take it."""
        try:
            await self._remember()
            while self._waiting:
                await self._table.add(self._waiting[0])
                del self._waiting[0]
        except StoreError as error:
            log.error("Notices are not stored yet: %s", error)
            return False
        return True

    async def _remember(self) -> None:
        """Learn once what an earlier gateway told, so that its end is told as well."""
        if self._ready is None:
            return
        told = await self._table.unanswered(Occasion.SERVER_QUARANTINED, Occasion.SERVER_RESTORED)
        ready, self._ready = self._ready, None
        self._quarantined |= told - ready
        self._waiting += map(self._restored, sorted(told & ready))

    def _notice(self, event: Event) -> Notice | None:
        match event:
            case StateChanged(server, _, ServerState.QUARANTINED, reason):
                # It is tried again now and then, and quarantined again each time.
                if server in self._quarantined:
                    return None
                self._quarantined.add(server)
                title = f"Server {server} is quarantined"
                tell = partial(make, Occasion.SERVER_QUARANTINED)
                return tell(server, title, f"It died too often: {reason}", self._now_ms())
            case StateChanged(server, _, ServerState.READY) if server in self._quarantined:
                self._quarantined.discard(server)
                return self._restored(server)
            case StateChanged(server, _, ServerState.READY):
                if self._ready is not None:
                    self._ready.add(server)
                return None
            case ToolQuarantined(server, tool, reason):
                title = f"Tool {tool} of server {server} is withheld"
                text = f"{reason}. Look at it with: ./claude-runner approvals list"
                return make(Occasion.TOOL_WITHHELD, server, title, text, self._now_ms())
            case _:
                return None

    def _restored(self, server: str) -> Notice:
        title, text = f"Server {server} serves again", "It was quarantined before."
        return make(Occasion.SERVER_RESTORED, server, title, text, self._now_ms())
